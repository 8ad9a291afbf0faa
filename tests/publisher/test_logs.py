"""Log lines: what each belongs to, and nothing secret in them (T21)."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from artifact.keys import PrivateKey
from publisher import logs, telemetry
from publisher.ingest import ingest
from tests.publisher.platform import bundle_of, submit
from tests.publisher.world import FEATURE, World

NAME = f"{FEATURE}/1.0.0.tar.gz"


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    """The lines that are logged meanwhile, with what they belong to."""
    kept: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)

    factory, handler = logging.getLogRecordFactory(), Keep()
    levels = {logger: logger.level for logger in map(logging.getLogger, ("favn", "azure", "urllib3"))}
    logs.install()
    logging.getLogger().addHandler(handler)
    yield kept
    logging.getLogger().removeHandler(handler)
    logging.setLogRecordFactory(factory)
    for logger, level in levels.items():
        logger.setLevel(level)


def test_a_line_says_which_invocation_bundle_feature_and_sequence_it_belongs_to(
    world: World, records: list[logging.LogRecord]
) -> None:
    submit(world.pipeline, NAME, bundle_of(world.directory()))
    with telemetry.invocation("ingest", "id-1", bundle=NAME):
        ingest(world.pipeline, NAME)
    (line,) = [record for record in records if "published" in record.getMessage()]
    facts = {"invocation": "id-1", "function": "ingest", "bundle": NAME, "feature": FEATURE, "sequence": "1"}
    for name, value in facts.items():
        assert getattr(line, name) == value
        assert f"{name}={value}" in line.getMessage()


def test_what_was_bound_ends_with_its_block_and_other_threads_have_their_own(
    records: list[logging.LogRecord],
) -> None:
    logger = logging.getLogger("favn.test")
    with logs.bound(feature="feature-a"):
        with logs.bound(feature="feature-b"):
            logger.info("inner")
        logger.info("outer")
        thread = threading.Thread(target=lambda: logger.info("elsewhere"))
        thread.start()
        thread.join()
    logger.info("after")
    lines = [record.getMessage() for record in records]
    assert lines == ["inner [feature=feature-b]", "outer [feature=feature-a]", "elsewhere", "after"]


def test_lines_of_other_programs_are_left_alone(records: list[logging.LogRecord]) -> None:
    with logs.bound(feature="feature-a"):
        record = logging.getLogRecordFactory()("azure.core", logging.INFO, "x.py", 1, "theirs", (), None)
    assert record.getMessage() == "theirs"
    assert not hasattr(record, "feature")


SECRET = base64.b64encode(b"0123456789-0123456789-0123456789").decode()
PEM = PrivateKey.parse(SECRET, where="test").pem()


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        (f"https://a.blob.core.windows.net/c/x?sv=2025&sig={SECRET}&se=2026", SECRET),
        (f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={SECRET};EndpointSuffix=x", SECRET),
        (f"{{'Authorization': 'Bearer {SECRET}'}}", SECRET),
        (f"POST /api/purge?code={SECRET}", SECRET),
        (f"the setting is {PEM}", PEM.splitlines()[1]),
        (f"the setting is {PEM!r}", PEM.splitlines()[1]),
        (f"cut: {PEM[:60]}", PEM.splitlines()[1][:20]),
    ],
    ids=["sas", "account key", "token", "function key", "pem", "pem as a literal", "pem cut short"],
)
@pytest.mark.parametrize("name", ["favn.test", "azure.core", "root"])
def test_t21_no_line_shows_a_secret_whoever_logs_it(
    records: list[logging.LogRecord], text: str, secret: str, name: str
) -> None:
    logger = logging.getLogger(name)
    logger.error("seen: %s, and more", text)
    try:
        raise ValueError(text)
    except ValueError:
        logger.exception("failed")
    formatted = [logging.Formatter().format(record) for record in records]
    assert len(formatted) == 2
    assert "***" in formatted[0]
    assert "ValueError" in formatted[1]
    assert not [line for line in formatted if secret in line]
    assert not [record for record in records if record.exc_info]


def test_an_exception_without_secrets_stays_what_it_is(records: list[logging.LogRecord]) -> None:
    try:
        raise ValueError("plain")
    except ValueError:
        logging.getLogger("favn.test").exception("failed")
    assert records[0].exc_info is not None
    assert "plain" in logging.Formatter().format(records[0])


def test_a_collector_finds_the_facts_and_nothing_of_our_own_workings(records: list[logging.LogRecord]) -> None:
    logger = logging.getLogger("favn.test")
    logger.info("plain")
    with logs.bound(feature="feature-a"):
        logger.info("bound")
    plain, line = records
    assert set(vars(line)) - set(vars(plain)) == {"feature"}
    assert set(vars(plain)) - {"message"} == set(vars(logging.makeLogRecord({})))


def test_requests_of_the_libraries_are_not_told_of(
    records: list[logging.LogRecord], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # of the root, as a platform may have it
    logging.getLogger("azure.core.pipeline.policies.http_logging_policy").info("Request URL: …")
    logging.getLogger("urllib3.connectionpool").debug("GET / HTTP/1.1")
    logging.getLogger("favn.publisher.ingest").info("published")
    assert [record.name for record in records] == ["favn.publisher.ingest"]


PROGRAM = """
import logging
from publisher import logs
logs.start()
with logs.bound(feature="feature-a", sequence=7):
    logging.getLogger("favn.test").info("too quiet for a command")
    logging.getLogger("favn.test").warning("æøå %s", "AccountKey=abc;")
logging.getLogger("other").warning("theirs")
"""


def test_c1_a_command_logs_json_lines_where_standard_error_is_no_terminal() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert first.pop("time").endswith("Z")
    assert first == {
        "level": "warning",
        "logger": "favn.test",
        "message": "æøå AccountKey=***;",
        "feature": "feature-a",
        "sequence": "7",
    }
    assert (second["logger"], second["message"]) == ("other", "theirs")


def test_c1_a_command_logs_sentences_on_a_terminal() -> None:
    ours, theirs = os.openpty()
    try:
        subprocess.run([sys.executable, "-c", PROGRAM], stderr=theirs, check=True)
        seen = os.read(ours, 10_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert seen.splitlines()[0] == "WARNING favn.test: æøå AccountKey=***; [feature=feature-a sequence=7]"
