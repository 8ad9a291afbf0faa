"""`make soak`: random faults for some minutes, and what has to be right during them and at their end.

0: all was right; 1: something was not; 2: the control plane is missing.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

from tests.kubernetes.control_plane import ControlPlane
from tests.soak.soak import Outcome, soak
from tests.soak.table import lines
from tools.setup import cluster

MINUTES = 20.0


def main() -> int:
    """The exit status."""
    arguments = _arguments()
    etcd, apiserver = cluster.find("etcd"), cluster.find("kube-apiserver")
    if etcd is None or apiserver is None:
        print(f"kube-apiserver and etcd are missing: {cluster.REMEDY}", file=sys.stderr)
        return 2
    seed = random.SystemRandom().randrange(10**6) if arguments.seed is None else arguments.seed
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    (folder / "control-plane").mkdir()
    (folder / "run").mkdir()
    with ControlPlane(folder / "control-plane", etcd=etcd, apiserver=apiserver) as control_plane:
        outcome = soak(folder / "run", control_plane, seed=seed, seconds=60 * arguments.minutes, say=_say)
    _tell(outcome, folder, as_json=arguments.json)
    return 0 if outcome.is_right else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"of faults ({MINUTES:g})")
    parser.add_argument("--seed", type=int, help="the same seed makes the same choice of faults (a new one)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    return parser.parse_args()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _tell(outcome: Outcome, folder: Path, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(outcome.as_json(), indent=2))
    else:
        print("\n".join(lines(outcome)))
    if outcome.is_right:
        shutil.rmtree(folder)
    else:
        _say(f"what the loaders said is in {folder}")


if __name__ == "__main__":
    sys.exit(main())
