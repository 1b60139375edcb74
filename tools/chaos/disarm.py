"""`python -m tools.chaos.disarm FILE ADMIN_PORT TARGET`: waits until the time in the file, then disarms the target.

It ends early, and does nothing, once the file is gone or another fault's: somebody cleared this one or armed the next.
"""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path

from envoy.fault_targets import KNOBS, runtime_key
from tools.chaos.runtime import NoEnvoyError, modify

LOOK_SECONDS = 1.0


def token_and_end(path: Path) -> tuple[str, float]:
    """Empty, 0 where there is none."""
    try:
        held = json.loads(path.read_text())
    except FileNotFoundError:
        return "", 0.0
    return str(held["token"]), float(held["until"])


def wait_and_disarm(path: Path, admin_port: int, target: str) -> None:
    token, until = token_and_end(path)
    while token and token_and_end(path)[0] == token:
        left = until - time.time()
        if left > 0:
            time.sleep(min(left, LOOK_SECONDS))
            continue
        with suppress(NoEnvoyError):  # its runtime went with it
            modify(admin_port, {runtime_key(target, knob): None for knob in KNOBS})
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    wait_and_disarm(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
