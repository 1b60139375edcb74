"""The dev stack: one mesh of real servers and our processes, started, watched and stopped as a whole."""

from tools.devstack.control import ProcessStatus, down, expected, is_up, logs, status, supervisor_mb, up, warm_seconds
from tools.devstack.single import (
    drop_process,
    kill_process,
    pause_process,
    restart_process,
    resume_process,
    start_process,
    stop_process,
    wait_ready,
)
from tools.devstack.spec import DevstackError, Mesh

__all__ = [
    "DevstackError",
    "Mesh",
    "ProcessStatus",
    "down",
    "drop_process",
    "expected",
    "is_up",
    "kill_process",
    "logs",
    "pause_process",
    "restart_process",
    "resume_process",
    "start_process",
    "status",
    "stop_process",
    "supervisor_mb",
    "up",
    "wait_ready",
    "warm_seconds",
]
