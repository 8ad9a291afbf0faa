"""A small process that runs others and says what each took: the measuring process itself would be in the way.

A new process counts the memory of the one that started it as its own peak, so the one that starts it has to be small.
Run as a file, with a JSON object on standard input: `commands` (lists of words, run in turn) and `environment`. It
answers with `seconds`, `cpu` (seconds) and `peak` (bytes) of all of them together, and with `status`, where the first
one that fails ends it.
"""

from __future__ import annotations

import json
import os
import sys
import time


def main() -> None:
    """Run, and answer on standard output; the commands' own standard output is thrown away."""
    request = json.load(sys.stdin)
    quiet = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0), (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    cpu, peak, code = 0.0, 0, 0
    began = time.monotonic()
    for command in request["commands"]:
        pid = os.posix_spawnp(command[0], command, request["environment"], file_actions=quiet)
        _, status, used = os.wait4(pid, 0)
        cpu += used.ru_utime + used.ru_stime
        peak = max(peak, used.ru_maxrss * 1024)
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            break
    json.dump({"seconds": time.monotonic() - began, "cpu": cpu, "peak": peak, "status": code}, sys.stdout)


if __name__ == "__main__":
    main()
