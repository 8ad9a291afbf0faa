"""The timer trigger: NCRONTAB and time-span schedules in UTC, never two runs of one timer at once."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from azure.functions.meta import Datum
from croniter import CroniterError, croniter

from artifact.errors import ConfigurationError

from .converters import decode
from .functions import LoadedFunction
from .invocation import Invoker
from .settings import HostSettings, duration

Schedule = Callable[[datetime], datetime]
"""The first occurrence after a time."""


def schedule(text: str) -> Schedule:
    """`{second} {minute} {hour} {day} {month} {day of week}`, the same without seconds, or `hh:mm:ss` between runs."""
    if ":" in text:
        step = duration(text, "schedule")
        return lambda after: after + step
    expression = text if len(text.split()) == 6 else f"0 {text}"

    def following(after: datetime) -> datetime:
        # NCRONTAB wants the day of the month AND the day of the week, Unix cron one of them
        found: datetime = croniter(expression, after, second_at_beginning=True, day_or=False).get_next(datetime)
        return found

    try:
        following(datetime(2026, 1, 1, tzinfo=UTC))
    except CroniterError as error:
        raise ConfigurationError("not an NCRONTAB schedule", where=text, seen=str(error)) from error
    return following


class TimerTrigger:
    """One timer-triggered function. Occurrences that pass while it runs are skipped, as in Azure."""

    def __init__(self, function: LoadedFunction, settings: HostSettings, invoker: Invoker) -> None:
        self._function, self._invoker = function, invoker
        self._following = schedule(settings.resolve(function.trigger["schedule"]))
        self._at_start = bool(function.trigger.get("runOnStartup"))
        self._running = threading.Lock()
        self._last = datetime(1, 1, 1, tzinfo=UTC)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def stop(self) -> None:
        """Count no more and wait for a run that is under way."""
        self._stopped.set()
        self._thread.join()

    def fire(self) -> None:
        """Run now, after a run that is under way."""
        with self._running:
            began = datetime.now(UTC)
            last, following = _text(self._last), _text(self._following(began))
            status = {"Last": last, "Next": following, "LastUpdated": last}
            facts = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
            value = decode("timerTrigger", Datum(json.dumps(facts), "json"))
            self._last = began
            try:
                self._invoker.invoke(self._function, value, subject=_text(began))
            except Exception:  # noqa: BLE001 - the invocation has logged it; the timer goes on
                return

    def _run(self) -> None:
        if self._at_start:
            self.fire()
        while not self._stopped.wait(self._until_next() / timedelta(seconds=1)):
            self.fire()

    def _until_next(self) -> timedelta:
        now = datetime.now(UTC)
        return self._following(now) - now


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
