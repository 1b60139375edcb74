"""Feature flags: a snapshot of what OpenFeature's flagd provider was told, so that asking costs a dictionary's look-up.

The provider keeps the last values when its server goes. Where it never reached one, the defaults given here hold.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from threading import Lock
from typing import Any
from uuid import uuid4

from openfeature import api
from openfeature.contrib.provider.flagd import FlagdProvider
from openfeature.contrib.provider.flagd.config import ResolverType
from openfeature.event import ProviderEvent

from meshkit.log import get_logger
from meshkit.metrics import FEATURE_ON

log = get_logger(__name__)
# A change must reach everybody within a second, also one made while the governor restarted.
RETRY_MS, RETRY_MOST_MS = 200, 500
# A link that died without a word is found by a ping; the server forbids more than one in 5 s.
KEEPALIVE_MS = 10_000


class Flags:
    """What is on, by name. `defaults` hold until something else was told."""

    def __init__(self, defaults: Mapping[str, bool]) -> None:
        self._on = dict(defaults)
        self._followers: list[tuple[str, Callable[[bool], None]]] = []
        self._tell()

    def is_on(self, name: str) -> bool:
        return self._on[name]

    def states(self) -> Mapping[str, bool]:
        return dict(self._on)

    def follow(self, name: str, tell: Callable[[bool], None]) -> None:
        """`tell` hears now whether it is on, and then of each change, on the event loop."""
        self._followers.append((name, tell))
        tell(self._on[name])

    def replace(self, states: Mapping[str, bool]) -> None:
        before, self._on = self._on, dict(states)
        self._tell()
        if before == self._on:
            return
        log.info("features", **states)
        for name, tell in self._followers:
            if before[name] != self._on[name]:
                tell(self._on[name])

    def _tell(self) -> None:
        for name, on in self._on.items():
            FEATURE_ON.labels(name).set(on)


@asynccontextmanager
async def following_flags(target: str, defaults: Mapping[str, bool]) -> AsyncIterator[Flags]:
    """Flags that follow the flagd sync server at `target` (host:port) until the block is left. Never waits for it."""
    flags, loop, domain = Flags(defaults), asyncio.get_running_loop(), str(uuid4())
    client, reading = api.get_client(domain), Lock()

    def follow(_details: Any) -> None:
        # On threads of the provider's, two at once after a connect: under the lock, what is read last is told last.
        # They may outlive the loop by a moment.
        with reading, suppress(RuntimeError):
            states = {name: client.get_boolean_value(name, on) for name, on in flags.states().items()}
            loop.call_soon_threadsafe(flags.replace, states)

    for event in (ProviderEvent.PROVIDER_READY, ProviderEvent.PROVIDER_CONFIGURATION_CHANGED):
        client.add_handler(event, follow)
    provider = _provider(target)
    api.set_provider(provider, domain)
    try:
        yield flags
    finally:
        await asyncio.to_thread(provider.shutdown)


def _provider(target: str) -> FlagdProvider:
    host, _, port = target.rpartition(":")
    return FlagdProvider(
        host=host,
        port=int(port),
        resolver_type=ResolverType.IN_PROCESS,
        retry_backoff_ms=RETRY_MS,
        retry_backoff_max_ms=RETRY_MOST_MS,
        keep_alive_time=KEEPALIVE_MS,
        # Its timer is no daemon thread: a process whose governor had just gone would end 10 s late.
        retry_grace_period=0,
        # It is the least time between two connects as well, which is ten minutes by default.
        stream_deadline_ms=0,
        # The server tells no metadata: asked for, an empty answer would end the provider's thread.
        sync_metadata_disabled=True,
    )
