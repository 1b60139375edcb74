"""A picture that nobody waits for any more is not resized."""

import asyncio
import threading
from contextlib import suppress
from uuid import uuid4

import pytest

from engagement_svc.avatar_store import Avatar, Update
from engagement_svc.update_avatar import UpdateAvatar
from meshkit.errors import DeadlinePassed
from meshkit.rpc import deadline
from tests.polling import eventually


class Kept:
    """A store that knows no request yet."""

    def __init__(self) -> None:
        self.users: list[str] = []

    async def known(self, user_id: str, request_id: str, request_hash: str) -> Avatar | None:
        return None

    async def replace(self, change: Update) -> Avatar:
        self.users.append(change.user_id)
        return Avatar(change.user_id, change.image, change.at_ms)


async def test_whoever_is_gone_when_the_slot_is_free_costs_nothing() -> None:
    free, begun, kept = threading.Event(), list[bytes](), Kept()

    def resize(image: bytes) -> bytes:
        begun.append(image)
        assert free.wait(10)
        return image

    update = UpdateAvatar(kept, 1, lambda: 1, resize)

    async def ask(user: str, milliseconds: int) -> Avatar:
        deadline.begin({deadline.HEADER: str(milliseconds)}, None)
        return await update(user, str(uuid4()), user.encode())

    async def over() -> bool:
        with suppress(DeadlinePassed):
            deadline.check()
            return False
        return True

    first = asyncio.create_task(ask("first", 60_000))
    await eventually(lambda: len(begun) == 1)
    late, patient = asyncio.create_task(ask("late", 50)), asyncio.create_task(ask("patient", 60_000))
    await asyncio.sleep(0)
    deadline.begin({deadline.HEADER: "50"}, None)
    await eventually(over)
    free.set()
    with pytest.raises(DeadlinePassed):
        await late
    assert (await first).user_id == "first"
    assert (await patient).user_id == "patient"
    assert (begun, sorted(kept.users)) == ([b"first", b"patient"], ["first", "patient"])
