"""Settings and journal of the features, in Redis: one hash, one stream, one script for each change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from governor.metrics import TOGGLES
from governor.toggle_state import GOVERNOR, Change, FlagState, JournalEntry, Setting, Source, is_over, state_of
from kernel.features import Version, features
from meshkit.errors import InvalidFields, RequestIdReused
from meshkit.log import get_logger
from meshkit.redis_client import answered

log = get_logger(__name__)
# What `from governor.toggles import …` gives: all that the control loop needs.
__all__ = ["GOVERNOR", "Change", "FlagState", "JournalEntry", "Request", "Setting", "Source", "StaleLeader", "Toggles"]

# One hash slot, since the script touches all three.
SETTINGS, JOURNAL, REQUEST = "{toggles}:settings", "{toggles}:journal", "{toggles}:request:"
# A field of the settings: the last entry of the journal.
VERSION = b"version"
WHO_EXPIRES = "clock"
_GONE = {Source.OVERRIDE: "automatic", Source.AUTOMATIC: "default"}


@cache
def _script() -> str:
    return (files(__package__) / "change_toggle.lua").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Request:
    """An operator's: the same id and hash does nothing anew."""

    request_id: str
    request_hash: str


@dataclass(frozen=True, slots=True)
class Seen:
    """`states`: which features are on, as of `version`."""

    states: Mapping[str, bool]
    version: Version


class StaleLeader(Exception):
    """Somebody else leads by now."""


class Toggles:
    """Raises DependencyUnavailable where Redis does not answer."""

    def __init__(self, redis: Redis, now_ms: Callable[[], int]) -> None:
        self._redis, self._now_ms = redis, now_ms

    async def apply(self, change: Change, request: Request | None = None) -> bool:
        """False where nothing had to change: then nothing is journalled. Raises InvalidFields for a flag that there is
        not, RequestIdReused, StaleLeader."""
        if change.flag not in features():
            raise InvalidFields([("flag", f"must be one of {', '.join(features())}")])
        value = "" if change.on is None else self._setting(change, change.on).encode()
        if change.source is Source.AUTOMATIC and value and await self._is_so(change):
            return False
        return await self._change(change, value, "", _GONE[change.source] if not value else "", request)

    async def expire(self) -> None:
        """Takes away the overrides whose time is over; only one of several governors journals it."""
        for name, settings in (await self.settings()).items():
            override = settings.get(Source.OVERRIDE)
            if override is not None and is_over(override, self._now_ms()):
                gone = Change(name, None, WHO_EXPIRES, override.why)
                await self._change(gone, "", override.encode(), "expired", None)

    async def settings(self) -> Mapping[str, Mapping[Source, Setting]]:
        """By feature; what this version does not know is passed over."""
        return _decoded(await self._read())

    async def states(self) -> dict[str, FlagState]:
        """Every feature, in the file's order."""
        return self._standing(await self.settings())

    async def seen(self) -> Seen:
        """Which features are on, with the version of that."""
        found = await self._read()
        states = {name: state.on for name, state in self._standing(_decoded(found)).items()}
        told = found.get(VERSION, b"0-0").decode().partition("-")
        return Seen(states, (int(told[0]), int(told[2])))

    async def _read(self) -> Mapping[bytes, bytes]:
        found: Any = await answered(self._redis.hgetall(SETTINGS))
        return found  # type: ignore[no-any-return]

    def _standing(self, settings: Mapping[str, Mapping[Source, Setting]]) -> dict[str, FlagState]:
        now = self._now_ms()
        return {name: state_of(feature, settings[name], now) for name, feature in features().items()}

    async def journal(self, limit: int, before: str = "") -> list[JournalEntry]:
        """The newest first; `before`: an entry_id, for the next page."""
        latest = f"({before}" if before else "+"
        found: Any = await answered(self._redis.xrevrange(JOURNAL, max=latest, count=limit))
        return [_entry(entry_id, fields) for entry_id, fields in found]

    async def _is_so(self, change: Change) -> bool:
        known = (await self.settings())[change.flag].get(Source.AUTOMATIC)
        return known is not None and known.on is change.on

    def _setting(self, change: Change, on: bool) -> Setting:
        return Setting(on, change.who, change.why, change.signal, self._now_ms(), change.expires_ms)

    async def _change(self, change: Change, value: str, expected: str, gone: str, request: Request | None) -> bool:
        what = gone or ("on" if change.on else "off")
        told = {
            "at_ms": self._now_ms(),
            "flag": change.flag,
            "what": what,
            "source": change.source.value,
            "who": change.who,
            "why": change.why,
            "signal": change.signal,
            "expires_ms": change.expires_ms or 0,
        }
        keys: list[Any] = [SETTINGS, JOURNAL, REQUEST + (request.request_id if request else "")]
        head: list[Any] = [
            f"{change.source}:{change.flag}",
            value,
            expected,
            change.fence,
            request.request_hash if request else "",
        ]
        fields: list[Any] = [each for pair in told.items() for each in pair]
        done: Any = await answered(self._redis.eval(_script(), len(keys), *keys, *head, *fields))
        if done == b"reused":
            raise RequestIdReused("this request_id was used with another body")
        if done == b"stale":
            raise StaleLeader
        if done == b"done":
            TOGGLES.labels(change.flag, what).inc()
        return bool(done == b"done")


def _decoded(found: Mapping[bytes, bytes]) -> Mapping[str, Mapping[Source, Setting]]:
    by_name: dict[str, dict[Source, Setting]] = {name: {} for name in features()}
    for field, text in found.items():
        source, _, name = field.decode().partition(":")
        if name not in by_name:
            continue
        try:
            by_name[name][Source(source)] = Setting.decode(text)
        except ValueError as error:
            # Raised, one bad value would end every governor at each start.
            log.warning("a setting in Redis cannot be read", field=field.decode(), error=str(error))
    return by_name


def _entry(entry_id: bytes, fields: Mapping[bytes, bytes]) -> JournalEntry:
    told = {name.decode(): value.decode() for name, value in fields.items()}
    return JournalEntry(
        entry_id=entry_id.decode(),
        at_ms=int(told["at_ms"]),
        flag=told["flag"],
        what=told["what"],
        source=Source(told["source"]),
        who=told["who"],
        why=told["why"],
        signal=told["signal"],
        expires_ms=int(told["expires_ms"]) or None,
    )
