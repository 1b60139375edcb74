"""What clients were told, from the histories a sale's load generator wrote."""

import json
from collections.abc import Iterable
from pathlib import Path


def read_queued(histories: Iterable[Path]) -> frozenset[str]:
    """order_ids answered QUEUED. A last line cut short by a crash is passed over; another bad one raises ValueError."""
    queued: set[str] = set()
    for path in histories:
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
            except json.JSONDecodeError as error:
                if number == len(lines):
                    continue
                raise ValueError(f"{path.name} line {number}: {error}") from None
            if entry.get("type") == "ok" and entry.get("outcome") == "QUEUED":
                queued.add(entry["order_id"])
    return frozenset(queued)
