"""A control plane of Kubernetes on loopback: a real API server with RBAC, and etcd. Nothing runs in it.

There are no controllers: a namespace does not go away, a Deployment makes no pods, and nobody gives a namespace its
first service account. Each test therefore takes a namespace of its own.
"""

from __future__ import annotations

import base64
import itertools
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import urllib3
import yaml

from tests.kubernetes.api import Api, ApiError
from tests.kubernetes.certificates import Authority, KeyPair, key_pair
from tools.local.children import Child, ChildError
from tools.local.ports import free_port

LOOPBACK = "127.0.0.1"
START_SECONDS = 90
STOP_SECONDS = 30

_WITH_PARENT = 'exec 3<&0; (cat <&3 >/dev/null; kill -KILL $$) & exec "$@" 3<&- </dev/null'
"""The shell becomes the command, and leaves one process behind that waits for the end of standard input."""

Rule = Mapping[str, Sequence[str]]
"""One rule of a Role: `apiGroups`, `resources`, `verbs`."""


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """A service account, by its name."""

    namespace: str
    name: str

    @property
    def path(self) -> str:
        """Its place in the API."""
        return f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{self.name}"


class ControlPlane:
    """Runs from `with` to its end, with its files in `folder`; the API server may be stopped and started in between.

    It is at `url`, shows a certificate of `authority` (a PEM file), and obeys `admin` in all.
    """

    def __init__(self, folder: Path, *, etcd: Path, apiserver: Path) -> None:
        self._folder, self._etcd, self._apiserver = folder, etcd, apiserver
        self._names = itertools.count(1)

    def __enter__(self) -> Self:
        """Start both. ChildError where one does not."""
        issuer = Authority.new(self._folder / "certificates")
        self.authority = issuer.certificate
        self._administrator = issuer.client("administrator", "system:masters")
        self._server = issuer.server("apiserver", [LOOPBACK])
        self._accounts = key_pair(issuer.folder, "accounts")
        self._port, self._storage = free_port(), f"http://{LOOPBACK}:{free_port()}"
        self.url = f"https://{LOOPBACK}:{self._port}"
        self.admin = Api(self.url, self.authority, self._administrator)
        with ExitStack() as stack:
            stack.callback(self.admin.close)
            stack.enter_context(_child("etcd", self._etcd_command(), self._folder))
            self.start()
            stack.callback(self.stop)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start the API server, where it was before, and wait until it is ready. ChildError where it is not in time."""
        self._running = _child("kube-apiserver", self._apiserver_command(), self._folder).__enter__()
        try:
            self._await_ready()
        except BaseException:
            self._running.stop()
            raise

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the API server by a signal; etcd goes on and keeps all objects. Twice is no fault.

        ChildError where it does not end in time; then it is killed.
        """
        try:
            self._running.signal(how)
            self._running.wait(STOP_SECONDS)
        finally:
            self._running.stop()

    @property
    def is_stopped(self) -> bool:
        """Whether the API server has ended."""
        return _has_ended(self._running)

    def compact(self) -> None:
        """Let etcd forget all but the newest state: a watch from an earlier one is answered 410. ApiError."""
        storage = urllib3.PoolManager(retries=False)
        asked = storage.request("POST", f"{self._storage}/v3/kv/range", json={"key": base64.b64encode(b"/").decode()})
        revision = asked.json()["header"]["revision"]
        done = storage.request("POST", f"{self._storage}/v3/kv/compaction", json={"revision": revision})
        storage.clear()
        if done.status != 200:
            raise ApiError(f"etcd does not compact: {done.status}: {done.data!r}")

    def as_token(self, token: str) -> Api:
        """The API as the owner of a token sees it; the caller closes it."""
        return Api(self.url, self.authority, token)

    def namespace(self) -> str:
        """The name of a new namespace."""
        made = self.admin.create("/api/v1/namespaces", {"metadata": {"generateName": "test-"}})
        return str(made["metadata"]["name"])

    def service_account(self, namespace: str, *rules: Rule) -> ServiceAccount:
        """A new service account that may do in its namespace what the rules of a Role say, and nothing else."""
        account = ServiceAccount(namespace, f"account-{next(self._names)}")
        metadata = {"name": account.name}
        subject = {"kind": "ServiceAccount", "name": account.name, "namespace": namespace}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": account.name}
        access = _access(namespace)
        self.admin.create(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": metadata})
        self.admin.create(f"{access}/roles", {"metadata": metadata, "rules": rules})
        self.admin.create(f"{access}/rolebindings", {"metadata": metadata, "subjects": [subject], "roleRef": role})
        return account

    def withdraw(self, account: ServiceAccount) -> Mapping[str, Any]:
        """Take an account's rights away; what `give_back` needs."""
        path = f"{_access(account.namespace)}/rolebindings/{account.name}"
        binding: Mapping[str, Any] = self.admin.get(path)
        self.admin.delete(path)
        return binding

    def give_back(self, binding: Mapping[str, Any]) -> None:
        """The rights that were taken away."""
        metadata = {"name": binding["metadata"]["name"]}
        path = f"{_access(binding['metadata']['namespace'])}/rolebindings"
        self.admin.create(path, {**binding, "metadata": metadata})

    def token(self, account: ServiceAccount, seconds: int = 3600) -> str:
        """A new token of a service account, good for `seconds`, at least 600."""
        made = self.admin.create(f"{account.path}/token", {"spec": {"expirationSeconds": seconds}})
        return str(made["status"]["token"])

    def kubeconfig(self, account: ServiceAccount | None = None) -> Path:
        """A new kubeconfig file, for a service account with a token of its own, or for the administrator."""
        if account is None:
            return self._write_kubeconfig("default", _certificate_user(self._administrator))
        return self._write_kubeconfig(account.namespace, {"token": self.token(account)})

    def _write_kubeconfig(self, namespace: str, user: Mapping[str, str]) -> Path:
        cluster = {"server": self.url, "certificate-authority-data": _base64(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "user", "user": dict(user)}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "user", "namespace": namespace}}],
            "current-context": "test",
        }
        path = self._folder / f"kubeconfig-{next(self._names)}.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump(config), "utf-8")
        return path

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if _has_ended(self._running) or time.monotonic() > deadline:
                raise ChildError(f"kube-apiserver is not ready{self._running.last_words()}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            return self.admin.request("GET", "/readyz").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _etcd_command(self) -> list[str | Path]:
        peer = f"http://{LOOPBACK}:{free_port()}"
        return [
            self._etcd,
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={self._storage}",
            f"--advertise-client-urls={self._storage}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ]

    def _apiserver_command(self) -> list[str | Path]:
        return [
            self._apiserver,
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self._port}",
            f"--tls-cert-file={self._server.public}",
            f"--tls-private-key-file={self._server.private}",
            f"--client-ca-file={self.authority}",
            f"--etcd-servers={self._storage}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._accounts.public}",
            f"--service-account-signing-key-file={self._accounts.private}",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--endpoint-reconciler-type=none",
            "--request-timeout=10s",  # also how long it waits for open watches when it is told to end
        ]


def _access(namespace: str) -> str:
    return f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"


def with_parent(command: Sequence[str | Path]) -> list[str | Path]:
    """A command that is killed when its standard input ends: a Child that does not outlive this process."""
    return ["sh", "-c", _WITH_PARENT, "sh", *command]


def _child(name: str, command: Sequence[str | Path], folder: Path) -> Child:
    return Child(name, with_parent(command), {}, folder / f"{name}.log", folder)


def _has_ended(child: Child) -> bool:
    try:
        child.wait(0)
    except ChildError:
        return False
    return True


def _certificate_user(pair: KeyPair) -> dict[str, str]:
    return {"client-certificate-data": _base64(pair.public), "client-key-data": _base64(pair.private)}


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
