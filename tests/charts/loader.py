"""What a host states of the loader."""

from __future__ import annotations

from typing import Any

from tests.charts.helm import Values

CDN = "https://cdn.example/prod/feature-lab"
DIGEST = "sha256:" + "0123456789abcdef" * 4
LARGEST = 2**53 - 1

FORMS = {"an init container and a sidecar": False, "a native sidecar": True}
"""The value of `nativeSidecar` by what a pod then has."""


def values(**members: Any) -> Values:
    """Values that go before those of the example host."""
    return {"favn-feature-loader": members}


EVERYTHING = values(
    image={"repository": "registry.example/loader", "digest": DIGEST, "tag": None, "pullPolicy": "Always"},
    remoteIndex="https://cdn.example/prod/remote-index.json",
    kubernetes={"enabled": True, "namespaces": ["one", "two"], "selector": "a=b,c"},
    mountedRegistrations=["favn-feature-lab", "007"],
    features={"feature-lab": CDN},
    minSequences={"feature-lab": LARGEST, "feature-notes": 1_000_000},
    trustKeys={"configMap": None, "secret": {"name": "1", "key": "2"}},
    startWith="any",
    mountPath="/srv/favn",
    sizeLimit="500Mi",
    timeout=60,
    poll=5,
    grace=0,
    port=9000,
    onSwap="http://127.0.0.1:8080/changed",
    allowHttp=True,
    allowExpired=True,
    registryCredentials={"secretName": "registry"},
    caBundle={"configMap": {"name": "hospital-ca", "key": "all.pem"}},
    extraEnv=[{"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"}],
)
"""Every value, and none as it is by default."""
