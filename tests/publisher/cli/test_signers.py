"""C2: `--key` is a file or a secret of a Key Vault, which the identity of the machine may read."""

from __future__ import annotations

import json

from artifact.documents import canonical
from tests.publisher.cli.shell import Shell
from tests.publisher.vault import Vault


def test_c2_sign_takes_a_key_vault_secret_by_the_identity_of_the_machine(shell: Shell, vault: Vault) -> None:
    vault.put("build", shell.keys.build.key.pem(), keyId="build-test")
    folder = shell.directory()
    manifest = folder / "manifest.json"
    draft = {
        name: value
        for name, value in json.loads(manifest.read_bytes()).items()
        if name not in {"integrity", "sizes", "signature"}
    }
    manifest.write_bytes(canonical(draft))
    given = ("--key", vault.url("build"), "--key-id", "unused")
    document = shell.json("sign", folder, *given, status=0, **vault.variables())
    assert document["keyId"] == "build-test"
    assert json.loads(manifest.read_bytes())["signature"]["keyId"] == "build-test"
    assert shell.run("verify", folder).returncode == 0


def test_c1_without_an_identity_sign_says_who_does_not_permit_it(shell: Shell, vault: Vault) -> None:
    variables = {**vault.variables(), "IDENTITY_HEADER": "of-another"}
    answer = shell.run("sign", shell.directory(), "--key", vault.url("build"), "--key-id", "x", **variables)
    assert answer.returncode == 1
    assert "unauthorized" in answer.stderr
    assert "Key Vault Secrets User" in answer.stderr
    assert "Traceback" not in answer.stderr
