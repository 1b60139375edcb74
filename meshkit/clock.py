"""The wall clock: rows, deadlines and books are in Unix milliseconds."""

import time


def wall_ms() -> int:
    return time.time_ns() // 1_000_000
