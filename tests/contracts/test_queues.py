"""What every MessageQueue promises (publisher/ports.py), in memory and on Azurite."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from publisher.adapters.memory_queue import MemoryQueue
from publisher.adapters.queue_account import QueueAccount
from publisher.ports import Message, MessageQueue
from tools.local.azurite import Account

LONG = timedelta(minutes=5)
SHORT = timedelta(seconds=1)
NONE = timedelta(0)

_numbers = count()


@pytest.fixture(params=["memory", "azurite"])
def queue(request: pytest.FixtureRequest) -> MessageQueue:
    if request.param == "memory":
        return MemoryQueue()
    account: Account = request.getfixturevalue("storage")
    return QueueAccount(account.connection_string).queue(f"messages-{next(_numbers)}")


def eventually(look: Callable[[], Any]) -> Any:
    """What `look` finds, as soon as it finds something: a queue shows messages again at a time of its own."""
    pause = threading.Event()
    while not (found := look()):
        pause.wait(0.05)
    return found


def take_all(queue: MessageQueue) -> list[Message]:
    taken: list[Message] = []
    while messages := queue.take(32, hidden=LONG):
        taken += messages
    return taken


def test_a_queue_that_is_not_there_is_empty(queue: MessageQueue) -> None:
    assert queue.take(32, hidden=LONG) == []
    assert queue.oldest() is None
    assert queue.count() == 0


@pytest.mark.parametrize("body", ["", "text", '{"featureId": "feature-a"}', "æøå ☃", "a" * 30_000])
def test_a_message_comes_as_it_was_sent(queue: MessageQueue, body: str) -> None:
    queue.put(body)
    (message,) = queue.take(1, hidden=LONG)
    assert (message.body, message.tries) == (body, 1)
    assert abs(message.inserted_at - datetime.now(UTC)) < timedelta(minutes=1)


def test_what_was_taken_is_hidden_until_its_time_is_over_and_then_counts_another_try(queue: MessageQueue) -> None:
    queue.put("message")
    queue.take(1, hidden=SHORT)
    assert queue.take(1, hidden=LONG) == []
    (again,) = eventually(lambda: queue.take(1, hidden=LONG))
    assert (again.body, again.tries) == ("message", 2)


def test_what_was_dropped_never_comes_again(queue: MessageQueue) -> None:
    queue.put("message")
    (message,) = queue.take(1, hidden=SHORT)
    queue.drop(message)
    queue.drop(message)
    queue.put("next", delay=2 * SHORT)
    (following,) = eventually(lambda: queue.take(32, hidden=LONG))
    assert following.body == "next"


def test_a_receipt_of_an_earlier_try_drops_nothing(queue: MessageQueue) -> None:
    queue.put("message")
    (first,) = queue.take(1, hidden=SHORT)
    (second,) = eventually(lambda: queue.take(1, hidden=SHORT))
    queue.drop(first)
    (third,) = eventually(lambda: queue.take(1, hidden=LONG))
    assert (second.tries, third.tries) == (2, 3)


def test_a_delayed_message_is_not_seen_before(queue: MessageQueue) -> None:
    queue.put("later", delay=2 * SHORT)
    assert queue.take(1, hidden=LONG) == []
    assert queue.oldest() is None
    assert eventually(lambda: queue.take(1, hidden=LONG))[0].body == "later"


def test_more_messages_than_one_answer_holds_are_all_taken_once(queue: MessageQueue) -> None:
    sent = {f"message {number}" for number in range(70)}
    for body in sent:
        queue.put(body)
    taken = take_all(queue)
    assert len(taken) == len(sent)
    assert {message.body for message in taken} == sent


def test_the_oldest_message_tells_how_long_the_queue_has_waited(queue: MessageQueue) -> None:
    queue.put("first")
    queue.put("second")
    assert queue.count() == 2
    oldest = queue.oldest()
    assert oldest is not None
    assert oldest <= min(message.inserted_at for message in take_all(queue))


def test_a_message_that_was_sent_as_plain_text_is_read_as_it_is(storage: Account) -> None:
    from azure.storage.queue import QueueServiceClient

    queue = QueueAccount(storage.connection_string).queue("by-hand")
    queue.put("first")
    with QueueServiceClient.from_connection_string(storage.connection_string) as service:
        service.get_queue_client("by-hand").send_message("{not base64}")
    assert {message.body for message in take_all(queue)} == {"first", "{not base64}"}
