"""Pictures that are resized at once: as many as there are slots, whoever calls and goes."""

import asyncio
import threading

import pytest

from engagement_svc.avatar_store import Avatar, Update
from engagement_svc.update_avatar import WAITING, UpdateAvatar
from meshkit.errors import InvalidFields, Overloaded
from tests.polling import eventually


class Empty:
    """A store that knows nothing."""

    async def known(self, user_id: str, request_id: str, request_hash: str) -> Avatar | None:
        return None

    async def replace(self, change: Update) -> Avatar:
        return Avatar(change.user_id, change.image, change.at_ms)


class Slow:
    """Resizes while the gate is shut; counts how many are in it, and at most were."""

    def __init__(self) -> None:
        self.gate, self.lock = threading.Event(), threading.Lock()
        self.inside = self.most = self.begun = 0

    def __call__(self, image: bytes) -> bytes:
        with self.lock:
            self.begun, self.inside = self.begun + 1, self.inside + 1
            self.most = max(self.most, self.inside)
        assert self.gate.wait(30)
        with self.lock:
            self.inside -= 1
        if image == b"broken":
            raise InvalidFields([("image", "broken")])
        return image


async def test_a_caller_that_goes_leaves_its_slot_when_its_thread_ends() -> None:
    slow = Slow()
    update = UpdateAvatar(Empty(), 1, lambda: 0, slow)
    for number in range(3):
        gone = asyncio.create_task(update("ana", f"gone-{number}", b"broken"))
        await eventually(lambda: slow.begun == 1)
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
    stays = asyncio.create_task(update("ana", "stays", b"whole"))
    await asyncio.sleep(0)
    slow.gate.set()
    assert (await stays).image == b"whole"
    # The two that left while they waited were not begun at all.
    assert (slow.begun, slow.most) == (2, 1)


async def test_what_waits_is_bounded_and_those_that_left_wait_no_more() -> None:
    slow = Slow()
    update = UpdateAvatar(Empty(), 1, lambda: 0, slow)
    calls = [asyncio.create_task(update("ana", str(number), b"whole")) for number in range(1 + WAITING)]
    await eventually(lambda: slow.begun == 1)
    with pytest.raises(Overloaded):
        await update("ana", "one more", b"whole")
    for call in calls[1:3]:
        call.cancel()
    await asyncio.wait(calls[1:3])
    more = [asyncio.create_task(update("ana", f"in their place {number}", b"whole")) for number in (1, 2)]
    slow.gate.set()
    ends = await asyncio.gather(*calls, *more, return_exceptions=True)
    assert [type(end) for end in ends] == [Avatar, *[asyncio.CancelledError] * 2, *[Avatar] * (WAITING - 2 + 2)]
    assert slow.most == 1
