"""The port Purger: the fake, and Front Door and classic CDN through the real SDK and a real token, over HTTP."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from artifact.errors import Code, ConfigurationError
from publisher import cdn
from publisher.cdn import parse_endpoints
from publisher.ports import CdnEndpoint, InFlight, PurgeError
from tests.publisher.world import Edge, endpoint_of
from tests.tools.running import WAIT
from tools.local.arm.operations import Purges, Refusal
from tools.local.arm.server import SUBSCRIPTION, ResourceManager

POINTERS = ["/feature-a/releases.json", "/remote-index.json"]


@dataclass
class Subject:
    """An endpoint, and what its edges have forgotten."""

    endpoint: CdnEndpoint
    forgotten: Callable[[], list[list[str]]]
    hold: Callable[[], None]
    let_go: Callable[[], None]
    """Purges in flight end."""


@dataclass
class Azure:
    """A Resource Manager, and the calls that reached the edges behind it."""

    manager: ResourceManager
    forgotten: list[list[str]] = field(default_factory=list)

    @property
    def purges(self) -> Purges:
        return self.manager.purges

    def endpoint(self, options: str = "", kind: str = "afdEndpoints") -> CdnEndpoint:
        (found,) = parse_endpoints(self.manager.endpoint("edge", kind) + options, where="test")
        return found


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Azure]:
    forgotten: list[list[str]] = []
    with ResourceManager(Purges({"edge": lambda paths: forgotten.append(list(paths))}, seconds=0.0)) as manager:
        for name, value in manager.variables().items():
            monkeypatch.setenv(name, value)
        cdn._credential.cache_clear()
        yield Azure(manager, forgotten)
        cdn._credential.cache_clear()


@pytest.fixture(params=["fake", "afdEndpoints", "endpoints"])
def subject(request: pytest.FixtureRequest) -> Subject:
    if request.param == "fake":
        edge = Edge(holds=True)
        return Subject(endpoint_of(edge), lambda: edge.calls, lambda: None, lambda: setattr(edge, "holds", False))
    azure: Azure = request.getfixturevalue("azure")

    def let_go() -> None:
        azure.purges.going.set()
        assert azure.purges.wait(WAIT)

    azure.purges.going.clear()
    return Subject(azure.endpoint(kind=request.param), lambda: azure.forgotten, azure.purges.going.clear, let_go)


def begin(endpoint: CdnEndpoint, paths: list[str] = POINTERS) -> InFlight:
    flight = endpoint.purger.purge(paths, None)
    assert flight is not None
    return flight


def test_a_purge_is_in_flight_until_the_cdn_has_ended_it(subject: Subject) -> None:
    flight = begin(subject.endpoint)
    assert flight.pause >= timedelta(seconds=1)
    again = subject.endpoint.purger.purge(POINTERS, flight.token)
    assert again is not None
    subject.let_go()
    assert subject.endpoint.purger.purge(POINTERS, again.token) is None
    assert subject.forgotten() == [POINTERS]


def test_a_second_purge_while_one_is_in_flight_is_rejected_and_harms_nothing(subject: Subject) -> None:
    flight = begin(subject.endpoint)
    with pytest.raises(PurgeError) as caught:
        subject.endpoint.purger.purge(["/feature-b/releases.json"], None)
    assert not caught.value.is_over
    subject.let_go()
    assert subject.endpoint.purger.purge(POINTERS, flight.token) is None
    assert subject.forgotten() == [POINTERS]


def test_a_token_of_no_purge_says_that_it_is_over(subject: Subject) -> None:
    with pytest.raises(PurgeError) as caught:
        subject.endpoint.purger.purge(POINTERS, "rubbish")
    assert caught.value.is_over
    assert subject.forgotten() == []


# What only Azure has


def test_t44_another_process_goes_on_by_the_token_and_asks_once_a_look(azure: Azure) -> None:
    azure.purges.going.clear()
    token = begin(azure.endpoint()).token
    (operation,) = azure.purges.all()
    assert operation.looks == 0
    cdn._credential.cache_clear()
    other = azure.endpoint().purger
    assert other.purge(POINTERS, token) is not None
    assert operation.looks == 1
    azure.purges.going.set()
    assert azure.purges.wait(WAIT)
    assert other.purge(POINTERS, token) is None
    assert operation.looks == 2
    assert len(azure.purges.all()) == 1


def test_the_resource_manager_decides_when_to_look(azure: Azure) -> None:
    azure.manager.retry_after = 17
    azure.purges.going.clear()
    assert begin(azure.endpoint()).pause == timedelta(seconds=17)


@pytest.mark.parametrize("said", ["Wed, 21 Oct 2099 07:28:00 GMT", "-5", "99999999999999999999", "soon", "nan"])
def test_what_the_resource_manager_says_of_time_loses_nothing_that_has_begun(azure: Azure, said: str) -> None:
    azure.manager.retry_after = said
    azure.purges.going.clear()
    flight = begin(azure.endpoint())
    assert flight.pause == timedelta(seconds=10)
    again = azure.endpoint().purger.purge(POINTERS, flight.token)
    assert again is not None
    assert again.pause == timedelta(seconds=10)


def test_a_redirect_is_a_refusal_and_not_followed(azure: Azure) -> None:
    forgotten: list[Any] = []
    with ResourceManager(Purges({"edge": forgotten.append}, seconds=0.0)) as foreign:
        foreign.token = azure.manager.token
        azure.purges.refusals = [Refusal(307, "Moved", {"Location": foreign.endpoint("edge") + "/purge?api-version=1"})]
        with pytest.raises(PurgeError) as caught:
            azure.endpoint().purger.purge(POINTERS, None)
        assert "307" in str(caught.value)
        assert foreign.purges.all() == []


@pytest.mark.parametrize("state", ["", [], {}, {"version": 1, "data": None}, {"version": 1, "data": {"response": 5}}])
def test_t21_whatever_stands_in_place_of_a_token_is_a_purge_that_is_over(azure: Azure, state: Any) -> None:
    with pytest.raises(PurgeError) as caught:
        azure.endpoint().purger.purge(POINTERS, base64.b64encode(json.dumps(state).encode()).decode())
    assert caught.value.is_over


def test_an_identity_that_is_set_wrongly_is_an_error_of_the_purge(
    azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "nonsense")
    with pytest.raises(PurgeError):
        azure.endpoint().purger.purge(POINTERS, None)


def test_domains_and_prefix_are_told_and_leave_room_for_fewer_paths(azure: Azure) -> None:
    endpoint = azure.endpoint("?domains=a.example.org,b.example.org&prefix=/mfe")
    assert endpoint.most == 50
    begin(endpoint, [f"/feature-{number}/releases.json" for number in range(50)])
    assert azure.purges.wait(WAIT)
    assert azure.forgotten[0][:2] == ["/mfe/feature-0/releases.json", "/mfe/feature-1/releases.json"]
    with pytest.raises(PurgeError) as caught:
        endpoint.purger.purge([f"/feature-{number}/releases.json" for number in range(51)], None)
    assert "400" in str(caught.value)


@pytest.mark.parametrize(
    ("refusal", "code", "pause"),
    [
        (Refusal(429, "TooManyRequests", {"Retry-After": "300"}), Code.TRANSPORT_FAILED, 300),
        (Refusal(409, "Conflict"), Code.TRANSPORT_FAILED, 0),
        (Refusal(500, "InternalServerError"), Code.TRANSPORT_FAILED, 0),
        (Refusal(503, "ServiceUnavailable", {"Retry-After": "soon"}), Code.TRANSPORT_FAILED, 0),
        (Refusal(401, "AuthenticationFailed"), Code.UNAUTHORIZED, 0),
        (Refusal(403, "AuthorizationFailed"), Code.UNAUTHORIZED, 0),
    ],
)
def test_t44_a_refusal_is_told_at_once_by_its_status_and_code(
    azure: Azure, refusal: Refusal, code: Code, pause: int
) -> None:
    azure.purges.refusals = [refusal]
    with pytest.raises(PurgeError) as caught:
        azure.endpoint().purger.purge(POINTERS, None)
    error = caught.value
    assert (error.code, error.pause, error.is_over) == (code, timedelta(seconds=pause), False)
    assert azure.manager.url.removeprefix("http://") not in str(error)
    assert azure.manager.token not in str(error)
    begin(azure.endpoint())


def test_t44_an_operation_that_fails_later_is_over(azure: Azure) -> None:
    azure.purges.failures = 1
    flight = begin(azure.endpoint())
    assert azure.purges.wait(WAIT)
    with pytest.raises(PurgeError) as caught:
        azure.endpoint().purger.purge(POINTERS, flight.token)
    assert caught.value.is_over
    assert azure.forgotten == []
    begin(azure.endpoint())


def test_t44_a_resource_manager_that_is_away_does_not_end_what_is_in_flight(azure: Azure) -> None:
    azure.purges.going.clear()
    endpoint = azure.endpoint()
    flight = begin(endpoint)
    azure.manager.away = True
    with pytest.raises(PurgeError) as caught:
        endpoint.purger.purge(POINTERS, flight.token)
    assert not caught.value.is_over


def test_t21_no_token_of_ours_goes_to_another_host_whatever_was_remembered(azure: Azure) -> None:
    """Who owns the storage account writes what is remembered."""
    azure.purges.going.clear()
    flight = begin(azure.endpoint())
    with ResourceManager(Purges({"edge": lambda paths: None}, seconds=0.0)) as foreign:
        asked: list[Any] = []
        foreign.purges.look = asked.append  # type: ignore[assignment]
        text = base64.b64decode(flight.token).decode().replace(azure.manager.url, foreign.url)
        assert json.loads(text)["data"]["response"]["headers"]
        with pytest.raises(PurgeError) as caught:
            azure.endpoint().purger.purge(POINTERS, base64.b64encode(text.encode()).decode())
        assert caught.value.is_over
        assert asked == []


def test_an_endpoint_that_is_not_there(azure: Azure) -> None:
    (endpoint,) = parse_endpoints(azure.manager.endpoint("other"), where="test")
    with pytest.raises(PurgeError) as caught:
        endpoint.purger.purge(POINTERS, None)
    assert "404" in str(caught.value)


def test_without_an_identity_nothing_is_asked(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_HEADER", "another")
    with pytest.raises(PurgeError) as caught:
        azure.endpoint().purger.purge(POINTERS, None)
    assert caught.value.code is Code.UNAUTHORIZED
    assert azure.purges.all() == []


# What people write

AFD = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg.a(1)/providers/Microsoft.Cdn/profiles/favn/afdEndpoints/edge-1"


def test_endpoints_are_named_by_their_ids() -> None:
    classic = AFD.replace("afdEndpoints", "endpoints").replace("favn", "old")
    found = parse_endpoints(f"  {AFD}\n{classic.upper()} http://127.0.0.1:8080/  ", where="test")
    assert [endpoint.name for endpoint in found] == ["favn.edge-1", "old.edge-1", "127.0.0.1-8080"]
    assert parse_endpoints("", where="test") == ()


@pytest.mark.parametrize(
    "text",
    [
        "edge", "/subscriptions", AFD + "/more", AFD.replace("Microsoft.Cdn", "Microsoft.Web"), f"http://example.org{AFD}",
        f"{AFD} {AFD.upper()}", AFD + "?domains=", AFD + "?domains=*.example.org", AFD + "?domain=a.example.org",
        AFD + "?prefix=mfe", AFD + "?prefix=/a%20b", AFD + "#x", f"https://user:secret@example.org{AFD}", "ftp://example.org",
        AFD.replace("afdEndpoints", "endpoints") + "?domains=a.example.org", "http://[::1", AFD.replace("0001", "xyz"),
        "http://127.0.0.1:1/path", "http://127.0.0.1:1/?domains=a.example.org",
    ],
)  # fmt: skip
def test_what_is_no_endpoint_is_a_wrong_setting(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_endpoints(text, where="FAVN_PURGE_ENDPOINTS")
    assert "FAVN_PURGE_ENDPOINTS" in str(caught.value)
    assert "secret" not in str(caught.value)
