"""Switches features off in the policy's order, and on again in reverse, so that they agree with the tier."""

from collections.abc import Collection
from typing import Protocol

from governor.tier import Policy, Tier
from governor.toggle_state import GOVERNOR, Change
from meshkit.log import get_logger

log = get_logger(__name__)


class Switchboard(Protocol):
    """Journals what it does."""

    async def apply(self, change: Change) -> bool:
        """False: it was so already. Raises DependencyUnavailable, and StaleLeader where a later term has spoken."""
        ...


class LogOnly:
    """A dry run's: says what would be done."""

    def __init__(self) -> None:
        self._off: set[str] = set()

    async def apply(self, change: Change) -> bool:
        if (change.flag in self._off) is (change.on is False):
            return False
        self._off ^= {change.flag}
        what = "switch off" if change.on is False else "give back"
        log.info("dry run", would=what, feature=change.flag, why=change.why, signal=change.signal)
        return True


class SwitchFeatures:
    """Of one term. Remembers what it said, so that a tick without a change costs nothing. `features`: all there are."""

    def __init__(self, switchboard: Switchboard, policy: Policy, features: Collection[str], term: int) -> None:
        self._switchboard, self._policy, self._term = switchboard, policy, term
        off = policy.off_in(Tier.SURVIVAL)
        # One that an earlier policy switched off and this one does not know is given back, too.
        self._order = (*off, *(name for name in features if name not in off))
        self._said: dict[str, bool] = {}

    def forget(self) -> None:
        """Says everything again at the next call: whoever lost it, or changed it, hears it."""
        self._said.clear()

    async def __call__(self, tier: Tier, why: str, signal: str) -> None:
        """Stops at the first that fails; the next call goes on there, in the same order."""
        off = self._policy.off_in(tier)
        for name in reversed(self._order):
            if name not in off and self._said.get(name) is not True:
                # Taken back rather than set to on: what holds then is the flag file's word, or an operator's.
                await self._say(Change(name, None, GOVERNOR, why, signal, fence=self._term), on=True)
        for name in off:
            if self._said.get(name) is not False:
                await self._say(Change(name, False, GOVERNOR, why, signal, fence=self._term), on=False)

    async def _say(self, change: Change, *, on: bool) -> None:
        await self._switchboard.apply(change)
        self._said[change.flag] = on
