"""Follows the features' states in Redis and tells whoever listens, within a quarter of a second."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

from governor.toggles import Toggles
from kernel.features import defaults
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger

log = get_logger(__name__)
# Four round trips a second. A publish/subscribe link would be faster, and lose what is said while it is broken.
LOOK_SECONDS = 0.25
# Written again although nothing changed: whoever started anew, or lost its file, is right soon after.
AGAIN_SECONDS = 5.0
Publish = Callable[[Mapping[str, bool]], None]


class ToggleFeed:
    """`publish` is called with each new set of states; here it writes Envoy's file. A Redis that is away changes
    nothing: the last states stay."""

    def __init__(self, toggles: Toggles, publish: Publish) -> None:
        self._toggles, self._publish = toggles, publish
        self._states: Mapping[str, bool] = defaults()
        self._changed = asyncio.Condition()
        self._closed = False

    async def run(self) -> None:
        looks = 0
        while True:
            await self._look(again=looks % int(AGAIN_SECONDS / LOOK_SECONDS) == 0)
            looks += 1
            await asyncio.sleep(LOOK_SECONDS)

    async def follow(self) -> AsyncIterator[Mapping[str, bool]]:
        """The states now, then each change, until `close`."""
        told: Mapping[str, bool] | None = None
        while not self._closed:
            if self._states == told:
                async with self._changed:
                    await self._changed.wait()
                continue
            told = self._states
            yield told

    async def close(self) -> None:
        """Ends whoever follows: a stream would hold the server's end up by its grace."""
        self._closed = True
        async with self._changed:
            self._changed.notify_all()

    async def _look(self, *, again: bool) -> None:
        try:
            await self._toggles.expire()
            found = {name: state.on for name, state in (await self._toggles.states()).items()}
        except DependencyUnavailable as error:
            log.warning("features not read, the last states stay", error=str(error))
            return
        changed = found != self._states
        if changed or again:
            await asyncio.to_thread(self._publish, found)
        if changed:
            log.info("features", **found)
            self._states = found
            async with self._changed:
                self._changed.notify_all()
