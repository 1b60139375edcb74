"""Knobs: how slow, refusing and unreliable each provider is. A JSON file, read again whenever it changes."""

import threading
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from meshkit.log import get_logger

log = get_logger(__name__)
Rate = Annotated[float, Field(ge=0, le=1)]
PROVIDERS = ("wallet", "shipping", "invoice", "loyalty")


class Knobs(BaseModel):
    """`decline`: debits refused (wallet alone). `collected`: parcels that have left, so that their booking cannot be
    cancelled (shipping alone). `error`: UNAVAILABLE before anything is done. `lost_answer`: done, but
    not answered until the caller's deadline is over. Rates are 0 to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    latency_ms: float = Field(default=0, ge=0, le=60_000)
    decline: Rate = 0
    collected: Rate = 0
    error: Rate = 0
    lost_answer: Rate = 0


class AllKnobs(BaseModel):
    """Of every provider; `seed` makes the draws repeatable."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 1
    wallet: Knobs = Knobs()
    shipping: Knobs = Knobs()
    invoice: Knobs = Knobs()
    loyalty: Knobs = Knobs()

    def of(self, provider: str) -> Knobs:
        knobs: Knobs = getattr(self, provider)
        return knobs


def _draw(seed: int, key: str) -> float:
    digest = blake2b(f"{seed}:{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def read_knobs(path: Path) -> AllKnobs:
    """All zero where there is no file. Raises ValidationError, a ValueError, naming each bad field."""
    return AllKnobs.model_validate_json(path.read_bytes()) if path.exists() else AllKnobs()


def write_knobs(path: Path, knobs: AllKnobs) -> None:
    """Replaces the file at once: a reader sees the old or the new one, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(knobs.model_dump_json(indent=2))
    draft.replace(path)


class KnobFile:
    """The knobs as they are now, and draws from them. Safe to use from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._knobs = read_knobs(path)
        self._random = Random(self._knobs.seed)
        self._stamp = self._stamp_now()

    def current(self) -> AllKnobs:
        stamp = self._stamp_now()
        with self._lock:
            if stamp != self._stamp:
                self._stamp = stamp
                self._read()
            return self._knobs

    def happens(self, rate: float) -> bool:
        """One draw; the sequence of draws repeats with the seed."""
        if rate <= 0:
            return False
        with self._lock:
            return self._random.random() < rate

    def declines(self, key: str) -> bool:
        """Drawn from seed and key, so that the same debits are declined in whatever order they come."""
        knobs = self.current()
        return _draw(knobs.seed, key) < knobs.wallet.decline

    def collected(self, key: str) -> bool:
        """Drawn like `declines`, by the booking's key."""
        knobs = self.current()
        return _draw(knobs.seed, key) < knobs.shipping.collected

    def _read(self) -> None:
        try:
            self._knobs = read_knobs(self._path)
        except (ValidationError, OSError) as error:
            log.warning("knobs not read, the last ones stay", path=str(self._path), error=str(error))
            return
        self._random = Random(self._knobs.seed)
        log.info("knobs read", **self._knobs.model_dump())

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size
