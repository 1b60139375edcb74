"""The journal: one SQLite file, one writer, many calls a commit."""

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger
from tools.providers.schema import SCHEMA

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

log = get_logger(__name__)
# Bounds how long the first call of a commit waits for the last: 256 pieces of work take about 10 ms.
_MOST_IN_COMMIT = 256


@dataclass(frozen=True, slots=True)
class _Entry:
    work: Work[Any]
    done: Future[Any]


class Journal:
    """Runs pieces of work one after another in a thread of its own, which holds the only connection that writes.

    synchronous=FULL: what was answered survives a loss of power. The price, one fsync a commit, is shared by all
    calls that wait at that moment (group commit).
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA busy_timeout=5000")
        self._connection.executescript(SCHEMA)
        self._queue: SimpleQueue[_Entry | None] = SimpleQueue()
        self._order = threading.Lock()
        self._closed = False
        self._writer = threading.Thread(target=self._run, name="journal", daemon=True)
        self._writer.start()

    def run(self, work: Work[T]) -> T:
        """The result of `work`, once it is on disk. What `work` raises undoes its writes alone, and is raised here.

        Raises DependencyUnavailable("journal") when the file could not be written: then nothing was recorded.
        """
        entry = _Entry(work, Future())
        with self._order:
            # Behind the closing mark nobody would ever look at it, and its thread would keep the process from ending.
            if self._closed:
                raise DependencyUnavailable("journal", "the journal is closed")
            self._queue.put(entry)
        result: T = entry.done.result()
        return result

    def close(self) -> None:
        with self._order:
            self._closed = True
            self._queue.put(None)
        self._writer.join()
        self._connection.close()

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            batch, closing = [entry], False
            while len(batch) < _MOST_IN_COMMIT and not closing:
                try:
                    more = self._queue.get_nowait()
                except Empty:
                    break
                closing = more is None
                if more is not None:
                    batch.append(more)
            self._commit(batch)
            if closing:
                return

    def _commit(self, batch: list[_Entry]) -> None:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._attempt(entry.work) for entry in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error:
            log.exception("journal not written", calls=len(batch))
            self._roll_back()
            outcomes = [_raising(DependencyUnavailable("journal", "the journal cannot be written"))] * len(batch)
        for entry, tell in zip(batch, outcomes, strict=True):
            tell(entry.done)

    def _attempt(self, work: Work[Any]) -> Callable[[Future[Any]], None]:
        """Runs `work` between savepoints. An error that ended the whole transaction (a full disk) is raised."""
        self._connection.execute("SAVEPOINT work")
        try:
            result = work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:
                raise
            self._connection.execute("ROLLBACK TO work")
            outcome = _raising(error)
        else:
            outcome = _giving(result)
        self._connection.execute("RELEASE work")
        return outcome

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")


def _giving(result: Any) -> Callable[[Future[Any]], None]:
    return lambda future: future.set_result(result)


def _raising(error: Exception) -> Callable[[Future[Any]], None]:
    return lambda future: future.set_exception(error)
