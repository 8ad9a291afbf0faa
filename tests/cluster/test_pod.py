"""A pod as the charts make it, at a real API server: its containers are played by processes with the chart's own
arguments and environment and its service account's token; teams register by their chart.
"""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loader_cdn.cli import main
from tests.charts.conftest import example_host, helm
from tests.charts.helm import CHARTS, Helm, Values, succeeded
from tests.charts.loader import EVERYTHING, FORMS, values
from tests.charts.pod import Pod as Rendered
from tests.charts.pod import Process
from tests.cluster.pod import Pod
from tests.kubernetes.certificates import Authority
from tests.kubernetes.control_plane import ControlPlane, ServiceAccount
from tests.loader_cdn.command import end, start
from tests.publisher.world import FEATURE
from tests.simulator.environment import Delivery, delivery
from tests.waiting import wait_until
from tools.local.ports import free_port

__all__ = ["example_host", "helm"]

REGISTER = CHARTS / "favn-feature-register"
SYNC, WATCH = "favn-feature-sync", "favn-feature-loader"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "certificates")


@pytest.fixture
def site(tmp_path: Path, authority: Authority) -> Iterator[Delivery]:
    """An edge that speaks https, as the teams' chart demands. Its root is the pod's."""
    pair = authority.server("edge", ["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.public, pair.private)
    with delivery(tmp_path, context) as made:
        made.world.clock.now = datetime.now(UTC)
        yield made


@dataclass
class Cluster:
    """A namespace in which the example host is installed."""

    helm: Helm
    kubeconfig: Path
    namespace: str
    rendered: Rendered
    port: int
    account: Path
    """A kubeconfig of the pod's service account."""
    ready: Path

    def run(self, *words: str | Path, given: Sequence[Values] = ()) -> None:
        """Helm, as an administrator."""
        where = ("--kubeconfig", self.kubeconfig, "--namespace", self.namespace)
        succeeded(self.helm.run(*words, *where, values=tuple(given)))

    def register(self, site: Delivery, command: str = "install", **more: object) -> None:
        """What a team does."""
        given = {"enabled": True, "featureId": FEATURE, "cdnBaseUrl": f"{site.cdn.url}{FEATURE}", **more}
        self.run(command, FEATURE, REGISTER, given=[{"valuesFile": given}])

    @contextmanager
    def container(self, name: str, folder: Path) -> Iterator[Pod]:
        """A container that goes on until the end of the block."""
        container = self.rendered.process(name)
        log = folder / f"{name}.log"
        with log.open("a") as errors:
            process = start(*container.arguments, stderr=errors, environment=self.environment(container))
        pod = Pod(process, self.port, log)
        try:
            wait_until(pod.answers)
            yield pod
            process.send_signal(signal.SIGTERM)
            assert end(process).status == 0, log.read_text()
        finally:
            process.kill()
            process.wait()

    def run_to_its_end(self, name: str) -> int:
        """An init container's exit status."""
        container = self.rendered.process(name)
        process = start(*container.arguments, stderr=subprocess.DEVNULL, environment=self.environment(container))
        return end(process).status

    def environment(self, container: Process) -> dict[str, str]:
        """A pod finds the API server by files at a fixed place, which a test has not."""
        return {**container.environment, "KUBECONFIG": str(self.account)}


def installed(
    helm: Helm,
    chart: Path,
    control_plane: ControlPlane,
    site: Delivery,
    authority: Authority,
    folder: Path,
    *,
    native: bool,
) -> Cluster:
    """The example host, installed, and its pod's volumes filled as the kubelet would."""
    namespace, port = control_plane.namespace(), free_port()
    given = values(
        nativeSidecar=native, port=port, poll=1, grace=2, caBundle={"configMap": {"name": "ca", "key": "ca.crt"}}
    )
    rendered = Rendered.of(helm.template(chart, given, release="portal"), folder / "volumes")
    trust = json.dumps(site.world.keys.trust_document())
    (rendered.volume("favn-trust") / "trust.json").write_text(trust)
    bundle = Path(rendered.process(WATCH).environment["SSL_CERT_FILE"])
    bundle.write_bytes(authority.certificate.read_bytes())
    arguments = dict(one.removeprefix("--").split("=", 1) for one in rendered.process(WATCH).arguments if "=" in one)
    site.root = Path(arguments["root"])
    gate = rendered.process(WATCH if native else SYNC).arguments
    (ready,) = (Path(one.partition("=")[2]) for one in gate if one.startswith("--ready-file="))
    account = ServiceAccount(namespace, rendered.spec["serviceAccountName"])
    cluster = Cluster(helm, control_plane.kubeconfig(), namespace, rendered, port, Path(), ready)
    cluster.run("install", "portal", chart, given=[given])
    return replace(cluster, account=control_plane.kubeconfig(account))


@pytest.fixture(params=list(FORMS.values()), ids=list(FORMS))
def is_native(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def cluster(
    helm: Helm,
    example_host: Path,
    control_plane: ControlPlane,
    site: Delivery,
    authority: Authority,
    tmp_path: Path,
    is_native: bool,
) -> Cluster:
    return installed(helm, example_host, control_plane, site, authority, tmp_path, native=is_native)


def test_a_feature_that_its_team_registers_is_followed_and_goes_with_its_registration(
    cluster: Cluster, site: Delivery, is_native: bool, tmp_path: Path
) -> None:
    site.publish("1.0.0")
    if not is_native:
        assert cluster.run_to_its_end(SYNC) == 0
        assert cluster.ready.exists()
    with cluster.container(WATCH, tmp_path) as pod:
        wait_until(pod.is_ready)
        assert cluster.ready.exists()
        cluster.register(site)
        wait_until(lambda: site.tree() == site.published("1.0.0"))
        site.publish("1.1.0")
        wait_until(lambda: site.tree() == site.published("1.0.0", "1.1.0"))
        cluster.register(site, "upgrade", enabled=False)
        wait_until(lambda: site.tree() == {})


def test_a_pod_that_begins_waits_for_all_that_is_registered(
    cluster: Cluster, site: Delivery, is_native: bool, tmp_path: Path
) -> None:
    site.publish("1.0.0")
    cluster.register(site)
    held = site.cdn.hold(f"{FEATURE}/1.0.0/index.js")
    with ExitStack() as stack:
        if is_native:
            pod = stack.enter_context(cluster.container(WATCH, tmp_path))
            wait_until(lambda: site.cdn.log)
            assert not pod.is_ready()
        else:
            container = cluster.rendered.process(SYNC)
            process = start(*container.arguments, environment=cluster.environment(container))
            wait_until(lambda: site.cdn.log)
        assert not cluster.ready.exists()
        held.set()
        wait_until(cluster.ready.exists)
        assert site.tree() == site.published("1.0.0")
        if not is_native:
            assert end(process).status == 0


@pytest.mark.parametrize("native", FORMS.values(), ids=FORMS)
def test_every_flag_that_the_chart_can_write_is_one_of_the_command(
    helm: Helm, example_host: Path, tmp_path: Path, native: bool
) -> None:
    given = {**EVERYTHING["favn-feature-loader"], "nativeSidecar": native}
    rendered = Rendered.of(helm.template(example_host, {"favn-feature-loader": given}), tmp_path)
    for name in [WATCH] if native else [SYNC, WATCH]:
        command, *flags = rendered.process(name).arguments
        context = main.commands[command].make_context(command, flags)
        assert context.params["root"]
