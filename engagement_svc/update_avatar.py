"""Replace a user's picture, off the event loop and few at a time."""

import asyncio
from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from engagement_svc.avatar import make_avatar
from engagement_svc.avatar_store import Avatar, Update
from engagement_svc.metrics import AVATARS
from meshkit.errors import InvalidFields, Overloaded
from meshkit.rpc import deadline

WAITING = 16


class Store(Protocol):
    """Avatars, and the tests' fake."""

    async def known(self, user_id: str, request_id: str, request_hash: str) -> Avatar | None: ...
    async def replace(self, change: Update) -> Avatar: ...


class UpdateAvatar:
    """`at_once` pictures are resized, WAITING more wait: each is up to 2 MiB here and 100 MB while it is decoded."""

    def __init__(
        self,
        avatars: Store,
        at_once: int,
        now_ms: Callable[[], int],
        resize: Callable[[bytes], bytes] = make_avatar,
    ) -> None:
        self._avatars, self._now_ms, self._resize = avatars, now_ms, resize
        self._slots, self._waiting = asyncio.Semaphore(at_once), 0

    async def __call__(self, user_id: str, request_id: str, image: bytes) -> Avatar:
        """Raises InvalidFields, RequestIdReused, Overloaded, DeadlinePassed, DependencyUnavailable."""
        digest = blake2b(image, digest_size=16).hexdigest()
        known = await self._avatars.known(user_id, request_id, digest)
        if known is not None:
            return known
        small = await self._resized(image)
        replaced = await self._avatars.replace(Update(user_id, request_id, digest, small, self._now_ms()))
        AVATARS.labels("replaced").inc()
        return replaced

    async def _resized(self, image: bytes) -> bytes:
        if self._waiting >= WAITING:
            AVATARS.labels("overloaded").inc()
            raise Overloaded("too many pictures at once", retry_after=2.0)
        self._waiting += 1
        try:
            await self._slots.acquire()
        finally:
            self._waiting -= 1
        # Shielded: a thread cannot be stopped, and keeps its slot to its end though whoever called has gone by then.
        try:
            return await asyncio.shield(asyncio.ensure_future(self._in_slot(image)))
        except InvalidFields:
            AVATARS.labels("refused").inc()
            raise

    async def _in_slot(self, image: bytes) -> bytes:
        try:
            # Up to sixteen pictures were resized before this one: who waited may have gone.
            deadline.check()
            return await asyncio.to_thread(self._resize, image)
        finally:
            self._slots.release()
