"""The directions of import (docs/ARCHITECTURE.md): who may know whom."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
OURS = ("artifact", "publisher", "loader_cdn", "tools", "tests", "function_app")
EDGES = (
    "publisher.triggers",
    "publisher.cli",
    "publisher.wiring",
    "publisher.destinations",
    "publisher.signers",
    "publisher.cdn",
)
"""The parts of the publisher that choose adapters; its use cases see ports only."""

LIBRARIES = {
    "artifact": {"cryptography"},
    "loader_cdn": {"cryptography", "pycurl", "click", "prometheus_client", "yaml"},
    "publisher": {"cryptography", "click", "rich", "urllib3", "azure", "azurefunctions", "msgspec", "opentelemetry"},
}
"""What each package may import beside the standard library and this project."""

OUTSIDE = ["http", "logging", "os", "pathlib", "shutil", "socket", "subprocess", "tempfile", "time", "urllib.request"]
"""Where the standard library reaches out of the process; `artifact` is pure."""

ALLOWED = {
    "artifact": {"artifact"},
    "loader_cdn": {"artifact", "loader_cdn"},
    "publisher": {"artifact", "publisher"},
    "function_app": {"publisher"},
}
"""What each package may import of this project."""


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, at its top or inside a function."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            source = ".".join([*above, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{source}.{alias.name}") for alias in node.names)


def modules(package: str) -> list[Path]:
    single = ROOT / f"{package}.py"
    return [single] if single.is_file() else sorted((ROOT / package).rglob("*.py"))


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def offences(paths: list[Path], forbidden: list[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in paths
        for line, name in imports(path)
        if any(within(name, package) for package in forbidden)
    ]


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def loaded_by(module: str) -> list[str]:
    """All modules that a fresh interpreter has loaded after it imported one."""
    program = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_the_parts_of_the_project_that_stand_below_it(package: str) -> None:
    forbidden = [name for name in OURS if name not in ALLOWED[package]]
    assert modules(package)
    assert offences(modules(package), forbidden) == []


@pytest.mark.parametrize("package", LIBRARIES)
def test_a_package_imports_only_the_libraries_that_are_named_for_it(package: str) -> None:
    known = {*sys.stdlib_module_names, *OURS, *LIBRARIES[package]}
    foreign = {
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for line, name in imports(path)
        if name.partition(".")[0] not in known
    }
    assert foreign == set()


def test_artifact_reads_no_clock_no_environment_no_file_and_no_network() -> None:
    assert offences(modules("artifact"), OUTSIDE) == []
    called = {
        f"{path.relative_to(ROOT)}:{node.lineno} calls {ast.unparse(node.func)}"
        for path in modules("artifact")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and re.search(r"^(open|print|input)$|\.(now|utcnow|today)$", ast.unparse(node.func))
    }
    assert called == set()


def test_function_app_reaches_the_publisher_only_through_its_triggers() -> None:
    ours = [name for _, name in imports(ROOT / "function_app.py") if within(name, "publisher")]
    assert [name for name in ours if not within(name, "publisher.triggers")] == []


def test_use_cases_know_ports_and_no_adapter_edge_or_azure() -> None:
    outside = ("publisher.adapters", *EDGES)
    use_cases = [path for path in modules("publisher") if not any(within(module_name(path), part) for part in outside)]
    assert use_cases
    assert offences(use_cases, [*outside, "azure", "rich", "click", "urllib3"]) == []


def test_triggers_know_use_cases_and_no_adapter() -> None:
    triggers = sorted((ROOT / "publisher" / "triggers").rglob("*.py"))
    assert (
        offences(triggers, ["publisher.adapters", "azure.core", "azure.identity", "azure.storage", "azure.mgmt"]) == []
    )


def test_adapters_know_no_edge() -> None:
    adapters = sorted((ROOT / "publisher" / "adapters").rglob("*.py"))
    assert offences(adapters, list(EDGES)) == []


def test_importing_the_loader_loads_nothing_of_azure_and_nothing_of_the_publisher() -> None:
    assert [name for name in loaded_by("loader_cdn.cli") if within(name, "azure") or within(name, "publisher")] == []


def test_importing_the_functions_app_loads_no_azure_client() -> None:
    """Clients are made when they are first needed, so that the app indexes within its limit.

    The blob binding brings its own libraries; ours are not needed to index.
    """
    clients = ("azure.mgmt", "publisher.adapters.blob")
    assert [name for name in loaded_by("function_app") if any(within(name, client) for client in clients)] == []
