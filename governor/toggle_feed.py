"""Follows the features' states in Redis and tells whoever listens, within a quarter of a second."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial

from governor.toggles import Toggles
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
    nothing: the last states stay. Until Redis was read once nothing is told at all: a governor that starts anew would
    switch everything on for a moment."""

    def __init__(self, toggles: Toggles, publish: Publish) -> None:
        self._toggles, self._publish = toggles, publish
        self._states: Mapping[str, bool] | None = None
        self._changed = asyncio.Condition()
        self._closed = False

    async def run(self) -> None:
        looks = 0
        while True:
            await self.look(again=looks % int(AGAIN_SECONDS / LOOK_SECONDS) == 0)
            looks += 1
            await asyncio.sleep(LOOK_SECONDS)

    async def follow(self) -> AsyncIterator[Mapping[str, bool]]:
        """The states now, then each change, until `close`."""
        told: Mapping[str, bool] | None = None
        while True:
            async with self._changed:
                await self._changed.wait_for(partial(self._has_news, told))
                told = self._states
            if self._closed or told is None:
                return
            yield told

    def _has_news(self, told: Mapping[str, bool] | None) -> bool:
        return self._closed or self._states != told

    async def close(self) -> None:
        """Ends whoever follows: a stream would hold the server's end up by its grace."""
        self._closed = True
        async with self._changed:
            self._changed.notify_all()

    async def look(self, *, again: bool = False) -> None:
        """Reads Redis and tells what is new; `again`: tells Envoy in any case."""
        try:
            await self._toggles.expire()
            found = {name: state.on for name, state in (await self._toggles.states()).items()}
        except DependencyUnavailable as error:
            log.warning("features not read, the last states stay", error=str(error))
            return
        changed = found != self._states
        if changed:
            log.info("features", **found)
            async with self._changed:
                self._states = found
                self._changed.notify_all()
        if changed or again:
            await self._tell_envoy(found)

    async def _tell_envoy(self, states: Mapping[str, bool]) -> None:
        try:
            await asyncio.to_thread(self._publish, states)
        except OSError as error:
            # A full disk is no reason to stop: the processes were told, and Envoy is within AGAIN_SECONDS.
            log.error("Envoy's file not written", error=repr(error))  # noqa: TRY400
