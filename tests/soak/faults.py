"""What goes wrong: each fault begins with its block, and is healed at its end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from random import Random

from tests.soak.edge import TROUBLES, Trouble
from tests.soak.proxy import Mode, Proxy
from tests.soak.stage import Stage

API, EDGE = "the API server", "the edge"

Begin = Callable[[Stage, Random], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`where` has one fault at a time. It lasts for something between `shortest` and `longest` seconds; `weight` is how
    often it comes beside the others.
    """

    where: str
    begin: Begin
    shortest: float
    longest: float
    weight: int = 1


# The API server, and the way to it


def _api_server_ends(how: signal.Signals, *, forgets: bool = False) -> Begin:
    @contextmanager
    def begin(stage: Stage, rng: Random) -> Iterator[None]:
        control_plane = stage.control_plane
        control_plane.stop(how)
        if forgets:
            control_plane.compact()
        yield
        control_plane.start()

    return begin


@contextmanager
def _storage_forgets(stage: Stage, rng: Random) -> Iterator[None]:
    stage.control_plane.compact()
    yield


@contextmanager
def _permission_is_withdrawn(stage: Stage, rng: Random) -> Iterator[None]:
    """The watch that runs is not ended by that: the connection is."""
    binding = stage.control_plane.withdraw(stage.account)
    _hang_up(stage.way_to_api)
    yield
    stage.control_plane.give_back(binding)


@contextmanager
def _token_is_rotated(stage: Stage, rng: Random) -> Iterator[None]:
    stage.rotate_token()
    yield


@contextmanager
def _token_is_revoked(stage: Stage, rng: Random) -> Iterator[None]:
    """The service account is made anew: none of its tokens is worth anything, until there is a new one."""
    admin = stage.control_plane.admin
    admin.delete(stage.account.path)
    collection = stage.account.path.rpartition("/")[0]
    admin.create(collection, {"metadata": {"name": stage.account.name}})
    _hang_up(stage.way_to_api)
    yield
    stage.rotate_token()


def _way(of: Callable[[Stage], Proxy], mode: Mode) -> Begin:
    @contextmanager
    def begin(stage: Stage, rng: Random) -> Iterator[None]:
        of(stage).become(mode)
        yield
        of(stage).become(Mode.OPEN)

    return begin


def _hang_up(way: Proxy) -> None:
    way.become(Mode.RESET)
    way.become(Mode.OPEN)


def _to_api(stage: Stage) -> Proxy:
    return stage.way_to_api


def _to_edge(stage: Stage) -> Proxy:
    return stage.way_to_edge


# The edge


@contextmanager
def _offline(stage: Stage, rng: Random) -> Iterator[None]:
    stage.edge.switches.offline = True
    yield
    stage.edge.heal()


@contextmanager
def _keeps_its_copy(stage: Stage, rng: Random) -> Iterator[None]:
    stage.edge.freeze()
    stage.earlier = stage.edge.state()
    yield
    stage.edge.heal()


@contextmanager
def _goes_back(stage: Stage, rng: Random) -> Iterator[None]:
    """Pointers as they were some time ago: a reader has seen newer ones."""
    pointers = [name for name in stage.earlier if name.endswith("/releases.json")]
    stage.edge.replay(stage.earlier, *rng.sample(pointers, rng.randint(1, len(pointers))))
    yield
    stage.edge.heal()
    stage.earlier = stage.edge.state()


def _troubled(trouble: Trouble) -> Begin:
    @contextmanager
    def begin(stage: Stage, rng: Random) -> Iterator[None]:
        stage.edge.trouble = trouble
        yield
        stage.edge.trouble = None

    return begin


FAULTS: Mapping[str, Fault] = {
    "API server: SIGTERM, later started": Fault(API, _api_server_ends(signal.SIGTERM), 1, 20, 3),
    "API server: SIGKILL, later started": Fault(API, _api_server_ends(signal.SIGKILL), 1, 20, 3),
    "API server: SIGKILL, etcd compacted, later started": Fault(
        API, _api_server_ends(signal.SIGKILL, forgets=True), 1, 10, 2
    ),
    "API server: etcd compacted": Fault(API, _storage_forgets, 0, 0, 1),
    "API server: permission withdrawn": Fault(API, _permission_is_withdrawn, 2, 30, 3),
    "API server: token rotated": Fault(API, _token_is_rotated, 0, 0, 2),
    "API server: token revoked": Fault(API, _token_is_revoked, 2, 30, 2),
    "way to the API server: silent": Fault(API, _way(_to_api, Mode.SILENT), 1, 40, 3),
    "way to the API server: connections reset": Fault(API, _way(_to_api, Mode.RESET), 0, 10, 3),
    "way to the API server: trickles": Fault(API, _way(_to_api, Mode.TRICKLE), 2, 20, 2),
    "edge: offline": Fault(EDGE, _offline, 1, 20, 2),
    "edge: keeps all as it is": Fault(EDGE, _keeps_its_copy, 5, 40, 2),
    "edge: older pointers": Fault(EDGE, _goes_back, 1, 20, 3),
    "way to the edge: silent": Fault(EDGE, _way(_to_edge, Mode.SILENT), 1, 20, 2),
    "way to the edge: connections reset": Fault(EDGE, _way(_to_edge, Mode.RESET), 0, 10, 2),
    "way to the edge: trickles": Fault(EDGE, _way(_to_edge, Mode.TRICKLE), 2, 20, 2),
    **{f"edge: {name}": Fault(EDGE, _troubled(trouble), 1, 20, 2) for name, trouble in TROUBLES.items()},
}
"""By name. Those of single loaders are in `meddling`."""
