"""Follows the features' states in Redis and tells whoever listens, within a quarter of a second."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Protocol

from governor.toggles import Seen, Toggles
from kernel.features import Version
from meshkit.errors import DependencyUnavailable
from meshkit.log import get_logger

log = get_logger(__name__)
# Four round trips a second. A publish/subscribe link would be faster, and lose what is said while it is broken.
LOOK_SECONDS = 0.25
# Written again although nothing changed: whoever started anew, or lost its file, is right soon after.
AGAIN_SECONDS = 5.0


class Publish(Protocol):
    def __call__(self, states: Mapping[str, bool], version: Version, *, force: bool) -> bool:
        """Blocks. False: what is out is later already, and stays unless `force`. Raises OSError."""
        ...


class ToggleFeed:
    """`publish` is called with each new set of states; here it writes Envoy's file. A Redis that is away changes
    nothing: the last states stay. Until Redis was read once nothing is told at all: a governor that starts anew would
    switch everything on for a moment."""

    def __init__(self, toggles: Toggles, publish: Publish) -> None:
        self._toggles, self._publish = toggles, publish
        self._states: Mapping[str, bool] | None = None
        self._published: Seen | None = None
        self._refused: Version | None = None
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
            seen = await self._toggles.seen()
        except DependencyUnavailable as error:
            log.warning("features not read, the last states stay", error=str(error))
            return
        if seen.states != self._states:
            log.info("features", **seen.states)
            async with self._changed:
                self._states = seen.states
                self._changed.notify_all()
        if seen != self._published or again:
            await self._tell_envoy(seen)

    async def _tell_envoy(self, seen: Seen) -> None:
        # Refused at the last look and read again since: it is Redis that has forgotten, and not we who are late.
        force = seen.version == self._refused
        try:
            told = await asyncio.to_thread(self._publish, seen.states, seen.version, force=force)
        except OSError as error:
            # A full disk is no reason to stop: the processes were told, and Envoy is within AGAIN_SECONDS.
            log.error("Envoy's file not written", error=repr(error))  # noqa: TRY400
            self._published = seen
            return
        self._published, self._refused = (seen, None) if told else (None, seen.version)
        if not told:
            log.warning("Envoy was told of a later change already")
