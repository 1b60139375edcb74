"""The lease, the leader's standing and the journal of tiers, in Redis: what survives a governor."""

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from governor.tier_standing import Standing, TierChange
from meshkit.log import get_logger
from meshkit.redis_client import answered

log = get_logger(__name__)
# Three missed ticks. A standby looks each second, so that it leads 4 s after a leader's last breath at the latest.
LEASE_MS = 3_000


@cache
def _script(name: str) -> str:
    return (files(__package__) / f"{name}.lua").read_text("utf-8")


class TierStore:
    """Of one governor, `holder`. A dry run has keys of its own, so that it never leads in earnest.

    Raises DependencyUnavailable where Redis does not answer.
    """

    def __init__(self, redis: Redis, holder: str, *, dry_run: bool = False) -> None:
        self._redis, self.holder, self.dry_run = redis, holder, dry_run
        tag = "{tier.dry_run}" if dry_run else "{tier}"  # one slot: a script touches all of them
        self._lease, self._term, self._state, self._journal = (
            f"{tag}:{part}" for part in ("lease", "term", "state", "journal")
        )

    async def take_lease(self) -> int:
        """The term in which this governor leads; 0: another does."""
        return int(await self._eval("tier_lease", [self._lease, self._term], self.holder, LEASE_MS))

    async def give_lease_up(self) -> None:
        await self._eval("tier_lease_end", [self._lease], self.holder)

    async def write(self, standing: Standing, change: TierChange | None) -> bool:
        """False: somebody else leads by now, and nothing was written."""
        fields = [each for pair in change.fields().items() for each in pair] if change else []
        keys = [self._lease, self._term, self._state, self._journal]
        return bool(await self._eval("tier_write", keys, self.holder, standing.term, standing.encode(), *fields) == 1)

    async def standing(self) -> Standing | None:
        """The last that any leader wrote; None where there is none that can be read."""
        found: Any = await answered(self._redis.get(self._state))
        try:
            return Standing.decode(found) if found else None
        except ValueError as error:
            log.warning("the last tier cannot be read", error=str(error))
            return None

    async def journal(self, limit: int, before: str = "") -> list[tuple[str, TierChange]]:
        """By entry_id, the newest first; `before`: an entry_id, for the next page."""
        latest = f"({before}" if before else "+"
        found: Any = await answered(self._redis.xrevrange(self._journal, max=latest, count=limit))
        return [(entry_id.decode(), TierChange.from_fields(told)) for entry_id, told in found]

    async def _eval(self, script: str, keys: Sequence[str], *arguments: Any) -> Any:
        return await answered(self._redis.eval(_script(script), len(keys), *keys, *arguments))
