"""`python -m tests.vectors.generate` writes the vectors anew: always the same bytes, since keys and times are fixed.

What is expected of each is said by hand in `making/`, which uses nothing of `artifact`: signatures come from
`cryptography`, canonical forms from `rfc8785`, archives from a few lines of their own.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.vectors.making import bundles, documents, histories, indexes, manifests, names, trust
from tests.vectors.making.forge import JSON

HERE = Path(__file__).parent


def files() -> dict[str, bytes]:
    """Every generated file of this folder, by name."""
    made: dict[str, JSON] = {}
    for part in (documents, names, trust, manifests, indexes, histories, bundles):
        made |= part.files()
    return {name: (json.dumps(content, indent=1) + "\n").encode("ascii") for name, content in made.items()}


def main() -> None:
    """Write them."""
    for name, data in files().items():
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
