"""Whom the transfer asks and believes: URLs, redirects (T14), proxies, certificate authorities, and no secret told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from artifact.errors import Code, ConfigurationError, ContentError, TransientError
from loader_cdn import authorities
from loader_cdn.authorities import Authorities
from loader_cdn.origin import checked, redirected, shown
from loader_cdn.transfer import NotModified, Response, TransferSettings
from tests.loader_cdn.blocking import Blocking
from tests.loader_cdn.hostile import (
    HostileServer,
    PrivateAuthority,
    Proxy,
    answer,
    in_turn,
    raw,
    redirect,
    refused_port,
    unless_matched,
)

SETTINGS = TransferSettings(attempts=1)


@pytest.fixture(autouse=True)
def _nobody_elses_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in (*authorities.FILE_VARIABLES, authorities.FOLDER_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[HostileServer]:
    with HostileServer() as running:
        yield running


@pytest.fixture
def transfer() -> Iterator[Blocking]:
    with Blocking(SETTINGS) as made:
        yield made


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "https://cdn.example.test/f",
            "https://cdn.example.test:8443/f?sv=1",
            "http://localhost:8080/",
            "http://127.0.0.1/f",
            "http://127.9.9.9:1/f",
            "http://[::1]:8080/f",
            "HTTP://LOCALHOST/f",
        ],
    )
    def test_https_anywhere_and_http_to_loopback_are_asked(self, url: str) -> None:
        """C3."""
        checked(url, allow_http=False)

    @pytest.mark.parametrize(
        "url",
        [
            "http://cdn.example.test/f",
            "http://10.0.0.1/f",
            "http://128.0.0.1/f",
            "http://localhost.example.test/f",
            "http://127.0.0.1.example.test/f",
            "http://127.1/f",
            "http://0x7f000001/f",
            "http://0.0.0.0/f",
            "http://[::ffff:10.0.0.1]/f",
        ],
    )
    def test_http_to_anywhere_else_only_where_it_is_allowed(self, url: str) -> None:
        """C3."""
        with pytest.raises(ConfigurationError, match="plain http"):
            checked(url, allow_http=False)
        checked(url, allow_http=True)

    @pytest.mark.parametrize(
        "url",
        [
            "ftp://cdn.example.test/f",
            "file:///etc/passwd",
            "//cdn.example.test/f",
            "/f",
            "",
            "https://",
            "https:///f",
            "https://cdn.example.test:0/f",
            "https://cdn.example.test:70000/f",
            "https://cdn.example.test/a b",
            "https://cdn.example.test/a\r\nX: y",
            "https://cdn.example.test\\@elsewhere.example.test/f",
            "https://cdn.example.test/f#part",
            "https://\u0441dn.example.test/f",
            "https://user:password@cdn.example.test/f",
            "https://user@cdn.example.test/f",
        ],
    )
    def test_what_is_no_plain_url_is_not_asked(self, transfer: Blocking, url: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            transfer.get(url, limit=10)
        assert "password" not in str(caught.value)
        assert transfer.stats.requests == 0

    def test_messages_show_no_credentials_query_or_fragment(self) -> None:
        assert shown("https://u:p@cdn.example.test/f?sig=secret#x") == "https://cdn.example.test/f"
        assert shown("https://u:p@x@cdn.example.test?sig=secret") == "https://cdn.example.test"
        assert shown("//u:p@cdn.example.test/f") == "//cdn.example.test/f"

    def test_no_error_tells_a_signature_in_a_query(self, server: HostileServer, transfer: Blocking) -> None:
        """T21."""
        server.routes["/a?sig=secret"] = redirect("https://elsewhere.example.test/?token=secret")
        server.routes["/b?sig=secret"] = answer(b"", status="500 Oh")
        for path in ("/a", "/b", "/c"):
            with pytest.raises((ContentError, TransientError)) as caught:
                transfer.get(f"{server.base}{path}?sig=secret", limit=10)
            assert "secret" not in str(caught.value)
        with refused_port() as port, pytest.raises(TransientError) as refused:
            transfer.get(f"http://127.0.0.1:{port}/a?sig=secret", limit=10)
        assert "secret" not in str(refused.value)


class TestRedirects:
    @pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
    def test_a_redirect_within_the_origin_is_followed_and_the_base_does_not_move(
        self, server: HostileServer, transfer: Blocking, status: str
    ) -> None:
        """L9."""
        server.url("/deep/other/b", answer(b"b"))
        url = server.url("/deep/a", redirect("other/b#part", status))
        assert transfer.get(url, limit=10) == Response(b"b", None, url)

    def test_a_retry_begins_again_at_the_url_that_was_asked(self, server: HostileServer) -> None:
        """L9: the base does not move, and each attempt may follow five redirects."""
        server.url("/3", in_turn(answer(b"", status="503 Busy"), answer(b"there")))
        for n in range(3):
            server.url(f"/{n}", redirect(f"/{n + 1}"))
        with Blocking(TransferSettings(attempts=2, backoff_seconds=0.0)) as transfer:
            transfer.get(f"{server.base}/0", limit=10)
        assert [r.target for r in server.requests] == ["/0", "/1", "/2", "/3"] * 2

    def test_five_redirects_are_followed(self, server: HostileServer, transfer: Blocking) -> None:
        server.url("/5", answer(b"there"))
        for n in range(5):
            server.url(f"/{n}", redirect(f"{server.base}/{n + 1}"))
        assert transfer.get(f"{server.base}/0", limit=10) == Response(b"there", None, f"{server.base}/0")

    def test_a_conditional_request_stays_conditional(self, server: HostileServer, transfer: Blocking) -> None:
        server.url("/b", unless_matched('"1"', answer(b"new")))
        url = server.url("/a", redirect("/b"))
        assert transfer.get(url, limit=10, etag='"1"') == NotModified(url)

    def test_t14_a_redirect_to_another_origin_is_refused_before_it_is_asked(
        self, server: HostileServer, transfer: Blocking
    ) -> None:
        """T14: and it says from where to where."""
        with HostileServer() as other:
            there = other.url("/b", answer(b"b"))
            here = server.url("/a", redirect(there))
            with pytest.raises(ContentError) as caught:
                transfer.get(here, limit=10)
            assert (caught.value.rule, caught.value.exit_status) == ("L9", 3)
            assert here in str(caught.value)
            assert there in str(caught.value)
            assert other.requests == []

    @pytest.mark.parametrize(
        "location",
        [
            "http://cdn.example.test/b",
            "https://cdn.example.test:444/b",
            "https://cdn.example.test.evil.example/b",
            "//evil.example/b",
            "https://127.0.0.1/b",
            "https://169.254.169.254/latest",
            "https://cdn.example.test@evil.example/b",
            "https://user:password@cdn.example.test/b",
            "file:///etc/passwd",
            "https://cdn.example.test\\.evil.example/b",
            "https://cdn.example.test/a b",
        ],
    )
    def test_t14_a_redirect_leaves_neither_scheme_nor_host_nor_port(self, location: str) -> None:
        """T14: another origin, http, a private address."""
        with pytest.raises(ContentError) as caught:
            redirected("https://cdn.example.test/a", location)
        assert caught.value.code is Code.LIMIT_EXCEEDED
        assert "password" not in str(caught.value)

    def test_the_default_port_is_the_same_origin(self) -> None:
        assert redirected("https://cdn.example.test/a", "https://CDN.example.test:443/b").endswith(":443/b")

    def test_a_redirect_without_a_place_is_transport_failed(self, server: HostileServer, transfer: Blocking) -> None:
        with pytest.raises(TransientError) as caught:
            transfer.get(server.url("/a", raw(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")), limit=10)
        assert caught.value.code is Code.TRANSPORT_FAILED


class TestAuthorities:
    @pytest.mark.parametrize("variable", authorities.FILE_VARIABLES)
    def test_a_private_authority_is_believed_where_a_variable_names_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
    ) -> None:
        private = PrivateAuthority(tmp_path)
        monkeypatch.setenv(variable, str(private.ca_file))
        with HostileServer(private.server_context()) as server, Blocking(SETTINGS) as transfer:
            url = server.url("/a", answer(b"a"))
            assert transfer.get(url, limit=10) == Response(b"a", None, url)

    def test_an_unknown_authority_is_not_believed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        private = PrivateAuthority(tmp_path)
        (tmp_path / "other").mkdir()
        monkeypatch.setenv("SSL_CERT_FILE", str(PrivateAuthority(tmp_path / "other").ca_file))
        with HostileServer(private.server_context()) as server, Blocking(SETTINGS) as transfer:
            with pytest.raises(TransientError) as caught:
                transfer.get(server.url("/a", answer(b"a")), limit=10)
            assert server.requests == []
        assert caught.value.code is Code.TRANSPORT_FAILED
        assert "SSL_CERT_FILE" in str(caught.value)

    def test_a_certificate_for_another_name_is_not_believed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = PrivateAuthority(tmp_path, names=("cdn.example.test",))
        monkeypatch.setenv("SSL_CERT_FILE", str(private.ca_file))
        with HostileServer(private.server_context()) as server, Blocking(SETTINGS) as transfer:
            with pytest.raises(TransientError):
                transfer.get(server.url("/a", answer(b"a")), limit=10)
            assert server.requests == []

    @pytest.mark.parametrize("variable", [*authorities.FILE_VARIABLES, authorities.FOLDER_VARIABLE])
    def test_a_variable_that_names_nothing_is_a_configuration_error(self, tmp_path: Path, variable: str) -> None:
        with pytest.raises(ConfigurationError, match=variable):
            authorities.find({variable: str(tmp_path / "missing.pem")})

    def test_a_file_that_holds_no_authorities_is_a_configuration_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = PrivateAuthority(tmp_path)
        (tmp_path / "empty.pem").write_text("nothing\n")
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
        with (
            HostileServer(private.server_context()) as server,
            Blocking(SETTINGS) as transfer,
            pytest.raises(ConfigurationError),
        ):
            transfer.get(server.url("/a", answer(b"a")), limit=10)

    def test_without_variables_the_store_of_the_system_is_found(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = tmp_path / "store.pem"
        store.write_text("")
        monkeypatch.setattr(authorities, "SYSTEM_FILES", (str(tmp_path / "missing"), str(store)))
        assert authorities.find({}) == Authorities(file=str(store))
        assert authorities.find({"SSL_CERT_DIR": str(tmp_path)}) == Authorities(folder=str(tmp_path))

    def test_a_machine_without_authorities_says_so_when_https_is_asked(
        self, server: HostileServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(authorities, "SYSTEM_FILES", ())
        with Blocking(SETTINGS) as transfer:
            url = server.url("/a", answer(b"a"))
            assert transfer.get(url, limit=10) == Response(b"a", None, url)
            with pytest.raises(ConfigurationError, match="certificate authorities"):
                transfer.get("https://cdn.example.test/a", limit=10)


class TestProxies:
    def test_https_goes_through_the_proxy_that_a_variable_names(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        private = PrivateAuthority(tmp_path, names=("cdn.example.test",))
        monkeypatch.setenv("SSL_CERT_FILE", str(private.ca_file))
        with HostileServer(private.server_context()) as server, Proxy(server) as proxy, Blocking(SETTINGS) as transfer:
            monkeypatch.setenv("https_proxy", proxy.url)
            server.routes["/a"] = answer(b"a")
            url = "https://cdn.example.test/a"
            assert transfer.get(url, limit=10) == Response(b"a", None, url)
            assert [(r.method, r.target) for r in proxy.requests] == [("CONNECT", "cdn.example.test:443")]

    def test_http_goes_through_the_proxy_unless_no_proxy_names_the_host(
        self, server: HostileServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Proxy(server) as proxy, Blocking(TransferSettings(attempts=1, allow_http=True)) as transfer:
            monkeypatch.setenv("http_proxy", proxy.url)
            server.routes["/a"] = answer(b"a")
            url = "http://cdn.example.test/a"
            assert transfer.get(url, limit=10) == Response(b"a", None, url)
            assert len(proxy.requests) == 1
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            transfer.get(f"{server.base}/a", limit=10)
            assert len(proxy.requests) == 1

    def test_a_proxy_that_is_not_there_is_transport_failed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(PrivateAuthority(tmp_path).ca_file))
        with refused_port() as port, Blocking(SETTINGS) as transfer:
            monkeypatch.setenv("https_proxy", f"http://user:password@127.0.0.1:{port}")
            with pytest.raises(TransientError) as caught:
                transfer.get("https://cdn.example.test/a", limit=10)
        assert caught.value.code is Code.TRANSPORT_FAILED
        assert "password" not in str(caught.value)
