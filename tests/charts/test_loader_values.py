"""The loader's chart refuses what is wrong with the values, in clear words, and its README is true."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from artifact.errors import ContentError
from artifact.versions import check_feature_id
from tests.charts.helm import CHARTS, Helm, Values
from tests.charts.loader import CDN, DIGEST, EVERYTHING, values
from tests.charts.pod import Pod

CHART = CHARTS / "favn-feature-loader"
README = (CHART / "README.md").read_text("utf-8")
NAMED = yaml.safe_load((CHART / "values.schema.json").read_text("utf-8"))["properties"].keys() - {"global"}

NO_SOURCE = "no source of features: give remoteIndex, kubernetes.enabled, mountedRegistrations or features"

REFUSED = {
    "no source": (values(kubernetes={"enabled": False}), NO_SOURCE),
    "no source any more": (values(kubernetes={"enabled": False}, features={"a": None}), NO_SOURCE),
    "no trust keys": (values(trustKeys={"configMap": None}), "trustKeys is missing: give configMap or secret"),
    "two trust keys": (values(trustKeys={"secret": {"name": "a"}}), "trustKeys: give configMap or secret, not both"),
    "trust keys without a name": (
        values(trustKeys={"configMap": {"name": None}}),
        "at '/trustKeys/configMap/name': got null, want string",
    ),
    "no image": (values(image={"repository": None}), "image.repository is missing"),
    "an image without a tag or digest": (values(image={"tag": None}), "image: give a digest (better) or a tag"),
    "a digest that is cut": (values(image={"digest": DIGEST[:-1]}), "at '/image/digest': "),
    "a tag in the repository's place": (values(image={"repository": "a b"}), "at '/image/repository': "),
    "plain http": (values(features={"a": "http://cdn.example"}), "plain http needs allowHttp: http://cdn.example"),
    "a plain remote index": (values(remoteIndex="http://cdn.example/i.json"), "plain http needs allowHttp: "),
    "a query": (values(remoteIndex="https://cdn.example/i.json?sig=1"), "at '/remoteIndex': "),
    "credentials": (values(features={"a": "https://user:word@cdn.example"}), "at '/features/a': "),
    "a feature by its image": (values(features={"a": f"registry.example/a@{DIGEST}"}), "at '/features/a': "),
    "an id with capitals": (values(features={"Lab": CDN}), "'Lab' does not match pattern"),
    "a sequence below zero": (values(minSequences={"a": -1}), "at '/minSequences/a': minimum: got -1, want 0"),
    "a sequence in quotes": (values(minSequences={"a": "4"}), "at '/minSequences/a': got string, want null or integer"),
    "half a second": (values(timeout=0.5), "at '/timeout': got number, want integer"),
    "no time": (values(timeout=0), "at '/timeout': minimum: got 0, want 1"),
    "a word for a time": (values(poll="30s"), "at '/poll': got string, want integer"),
    "another start": (values(startWith="nothing"), "at '/startWith': value must be one of 'current', 'kept', 'any'"),
    "a relative place": (values(mountPath="features"), "at '/mountPath': "),
    "the root of all": (values(mountPath="/"), "at '/mountPath': "),
    "a place that climbs": (values(mountPath="/features/.."), "at '/mountPath': "),
    "a size in words": (values(sizeLimit="much"), "at '/sizeLimit': "),
    "a port of root's": (values(port=80), "at '/port': minimum: got 80, want 1,024"),
    "root": (values(runAsUser=0), "at '/runAsUser': minimum: got 0, want 1"),
    "a namespace with capitals": (values(kubernetes={"namespaces": ["One"]}), "at '/kubernetes/namespaces/0': "),
    "an unknown member": (values(remoteIndexURL=CDN), "at '': additional properties 'remoteIndexURL' not allowed"),
    "credentials without a name": (
        values(registryCredentials={}),
        "at '/registryCredentials': missing property 'secretName'",
    ),
}


@pytest.mark.parametrize(("given", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_values_are_refused_with_the_place(given: Values, said: str, helm: Helm, example_host: Path) -> None:
    assert said in helm.refusal(example_host, given)


@pytest.mark.parametrize("feature_id", ["feature-lab", "7", "a" * 63, "a" * 64, "-a", "a-", "a.b", "A", "a_b", "a\n"])
def test_an_id_is_what_the_format_says(feature_id: str, helm: Helm, example_host: Path) -> None:
    """P1."""
    given = values(features={feature_id: CDN})
    try:
        check_feature_id(feature_id, where="features")
    except ContentError:
        assert "does not match pattern" in helm.refusal(example_host, given)
    else:
        helm.template(example_host, given)


def test_a_later_values_file_may_take_a_feature_away(pod_of: Callable[..., Pod]) -> None:
    given = values(features={"feature-lab": CDN, "feature-notes": CDN})
    pod = pod_of(given, values(features={"feature-lab": None}))
    words = pod.container("favn-feature-loader")["args"]
    assert [word for word in words if word.startswith("--feature=")] == [f"--feature=feature-notes={CDN}"]


def test_the_readme_shows_values_that_the_chart_takes(helm: Helm, example_host: Path) -> None:
    blocks = [
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(favn-feature-loader:.*?)```", README, re.DOTALL)
    ]
    assert len(blocks) >= 3
    for block in blocks:
        helm.template(example_host, block)


def test_the_readme_names_every_value() -> None:
    assert [name for name in NAMED if f"`{name}`" not in README] == []


def test_the_tests_give_every_value() -> None:
    tested = EVERYTHING["favn-feature-loader"].keys() | {"nativeSidecar", "runAsUser", "runAsGroup", "resources"}
    assert tested == NAMED
