"""L1: where the API server is, whom to believe that it is that one, and as whom to ask: by the files of a pod first,
then by KUBECONFIG.
"""

from __future__ import annotations

import base64
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from artifact.errors import ConfigurationError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
READ_AGAIN = 60.0
"""Seconds after which a token is read again: the kubelet swaps the file about once an hour."""


log = logging.getLogger(__name__)


class Token:
    """A bearer token, in a file that changes or fixed. Of one thread."""

    def __init__(self, file: Path | None, fixed: str = "") -> None:
        self._file, self._value = file, fixed
        self._read_at = -READ_AGAIN

    def value(self) -> str:
        """The token of now; the one before where the file cannot be read. Empty where there is none."""
        if self._file is not None and time.monotonic() - self._read_at >= READ_AGAIN:
            self.read_again()
        return self._value

    def read_again(self) -> None:
        """After a 401 the file may hold another one."""
        if self._file is None:
            return
        try:
            self._value = self._file.read_text("ascii").strip()
            self._read_at = time.monotonic()
        except (OSError, ValueError) as error:  # it may quote what it read
            log.warning("%s cannot be read (%s): the token of before is used", self._file, type(error).__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """One API server. `url` has no `/` at its end; `authority`, `certificate` and `key` are PEM or None; `namespace` is
    the one that is meant where none is named.
    """

    url: str
    namespace: str
    authority: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    token_file: Path | None = None
    fixed_token: str = ""

    def token(self) -> Token:
        """For one thread."""
        return Token(self.token_file, self.fixed_token)


def find(environ: Mapping[str, str] | None = None, service_account: Path = SERVICE_ACCOUNT) -> Access:
    """Raises ConfigurationError where there is neither, or where it cannot be used."""
    environ = os.environ if environ is None else environ
    host = environ.get("KUBERNETES_SERVICE_HOST")
    if host and (service_account / "token").is_file():
        return _in_cluster(host, environ.get("KUBERNETES_SERVICE_PORT", "443"), service_account)
    if path := environ.get("KUBECONFIG"):
        return _kubeconfig(Path(path))
    what = "no API server is known: run in a pod with a service account's token, or set KUBECONFIG"
    raise ConfigurationError(what, rule="L1", where="--kubernetes", expected=str(service_account))


def _in_cluster(host: str, port: str, folder: Path) -> Access:
    name = f"[{host}]" if ":" in host else host
    return Access(
        f"https://{name}:{port}",
        _read(folder / "namespace").decode("ascii", "replace").strip(),
        authority=_read(folder / "ca.crt"),
        token_file=folder / "token",
    )


def _kubeconfig(path: Path) -> Access:
    import yaml  # noqa: PLC0415  (a pod has no need of it)

    try:
        document = yaml.safe_load(_read(path))
        context = _named(document, "contexts", document["current-context"])["context"]
        cluster = _named(document, "clusters", context["cluster"])["cluster"]
        user = _named(document, "users", context["user"])["user"] or {}
        return Access(
            str(cluster["server"]).rstrip("/"),
            str(context.get("namespace", "default")),
            authority=_pem(cluster, "certificate-authority", path),
            certificate=_pem(user, "client-certificate", path),
            key=_pem(user, "client-key", path),
            token_file=path.parent / user["tokenFile"] if "tokenFile" in user else None,
            fixed_token=str(user.get("token", "")),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError) as error:
        # The library's text is left out: it may quote a token.
        what = "this is no kubeconfig with a server and its user's token or certificate"
        raise ConfigurationError(what, rule="L1", where=str(path), seen=type(error).__name__) from None


def _named(document: Any, kind: str, name: str) -> Any:
    return next((one for one in document[kind] if one["name"] == name), None) or {}


def _pem(section: Mapping[str, Any], name: str, path: Path) -> bytes | None:
    if data := section.get(f"{name}-data"):
        return base64.b64decode(data, validate=True)
    if file := section.get(name):
        return _read(path.parent / file)
    return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        what = "a file that tells of the API server cannot be read"
        raise ConfigurationError(what, rule="L1", where=str(path), seen=error.strerror) from error
