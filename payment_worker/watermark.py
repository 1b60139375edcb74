"""How far a partition may be committed while its records finish in any order."""

from collections import deque


class Watermark:
    """The lowest offset still under way bounds the commit: a restart replays that one and what follows, never less.

    Offsets may have gaps (compaction, control records), so what counts is the order in which they were started.
    """

    __slots__ = ("_committed", "_done", "_started", "_top")

    def __init__(self) -> None:
        self._started: deque[int] = deque()
        self._done: set[int] = set()
        self._top: int | None = None
        self._committed: int | None = None

    def start(self, offset: int) -> None:
        """Takes an offset under way. Raises ValueError unless it is above every one before."""
        if self._top is not None and offset < self._top:
            raise ValueError(f"offset {offset} started after {self._top - 1}")
        self._started.append(offset)
        self._top = offset + 1

    def done(self, offset: int) -> None:
        self._done.add(offset)
        while self._started and self._started[0] in self._done:
            self._done.remove(self._started.popleft())

    @property
    def in_flight(self) -> int:
        return len(self._started) - len(self._done)

    def next_offset(self) -> int | None:
        """The offset a restart must read next; None before the first record was started."""
        return self._started[0] if self._started else self._top

    def uncommitted(self) -> int | None:
        """`next_offset` where it moved since the last `committed`, else None."""
        offset = self.next_offset()
        return offset if offset != self._committed else None

    def committed(self, offset: int) -> None:
        self._committed = offset
