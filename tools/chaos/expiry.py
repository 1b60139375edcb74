"""A fault that ends by itself: its end is in a file of the run folder, and a process of its own waits for it.

The command that armed it may be gone by then, killed even; the process it left has a session of its own.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

from tools.chaos.faults import Fault, arm, disarm


def expiry_file(run_dir: Path, target: str) -> Path:
    return run_dir / "chaos" / f"{target}.json"


def arm_for(run_dir: Path, admin_port: int, fault: Fault, seconds: float | None) -> None:
    """None: until somebody clears it. Raises NoEnvoyError."""
    path = expiry_file(run_dir, fault.target)
    path.unlink(missing_ok=True)
    if seconds is not None:
        until, token = time.time() + seconds, uuid4().hex
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{token}")
        draft.write_text(json.dumps({"until": until, "token": token, "fault": fault.words}))
        draft.replace(path)
        # Before the fault: killed between the two, this leaves a process that has nothing to do.
        _leave_behind(path, admin_port, fault.target)
    arm(admin_port, fault)


def clear(run_dir: Path, admin_port: int, targets: list[str]) -> None:
    """Raises NoEnvoyError."""
    for target in targets:
        expiry_file(run_dir, target).unlink(missing_ok=True)
    disarm(admin_port, targets)


def seconds_left(run_dir: Path, target: str) -> float | None:
    """None: it does not end by itself."""
    try:
        until = json.loads(expiry_file(run_dir, target).read_text())["until"]
    except FileNotFoundError:
        return None
    return max(0.0, float(until) - time.time())


def _leave_behind(path: Path, admin_port: int, target: str) -> None:
    command = [sys.executable, "-m", "tools.chaos.disarm", str(path.resolve()), str(admin_port), target]
    nowhere = subprocess.DEVNULL
    subprocess.Popen(
        command,
        stdin=nowhere,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
        cwd=Path(__file__).resolve().parents[2],
    )
