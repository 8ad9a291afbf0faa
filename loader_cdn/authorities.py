"""Whom the loader believes about host names: the certificate authorities for https.

pycurl brings its own libcurl and OpenSSL, whose built-in store location is that of the machine they were built on, and
libcurl itself reads none of the usual variables (the curl command does). So the store is found here: the variables
first, then where distributions keep theirs. No bundle is shipped: one that ages in an image is worse than a message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from artifact.errors import ConfigurationError

FILE_VARIABLES = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE")
FOLDER_VARIABLE = "SSL_CERT_DIR"
SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # SUSE
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  # RHEL images without the link above
    "/etc/ssl/cert.pem",  # Alpine without ca-certificates, BSD, macOS
)


@dataclass(frozen=True, slots=True)
class Authorities:
    """One PEM file, or one folder of hashed PEM files (or several, as in PATH); both None where there is neither."""

    file: str | None = None
    folder: str | None = None


def find(environ: Mapping[str, str]) -> Authorities:
    """The store to believe. ConfigurationError where a variable names something that is not there.

    REQUESTS_CA_BUNDLE may name a folder, as it may for requests.
    """
    for name in FILE_VARIABLES:
        if value := environ.get(name):
            if Path(value).is_file():
                return Authorities(file=value)
            if Path(value).is_dir():
                return Authorities(folder=value)
            raise ConfigurationError("no certificate authorities there", where=name, seen=value)
    if folders := environ.get(FOLDER_VARIABLE):
        if any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
            return Authorities(folder=folders)
        raise ConfigurationError("no certificate authorities there", where=FOLDER_VARIABLE, seen=folders)
    for system in SYSTEM_FILES:
        if Path(system).is_file():
            return Authorities(file=system)
    return Authorities()
