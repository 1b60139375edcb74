"""The holds' scripts on a real Redis: within the budget whatever comes, and every move may be repeated."""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest
from redis.asyncio import Redis

from kernel.vouchers import keys
from kernel.vouchers.records import Counters, Hold, HoldState, Limits, read_counters, read_hold
from kernel.vouchers.redis_holds import Action, Grant, RedisHolds, SettleKind, TakeKind, Taken
from meshkit.errors import DependencyUnavailable
from tests.integration.kernel.redis_server import RedisServer

NOW, HOLD_MS = 1_000_000, 60_000
CODE = "SAVE"
MOVED, SKIPPED, RETAKEN, CLOSED = SettleKind.MOVED, SettleKind.SKIPPED, SettleKind.RETAKEN, SettleKind.CLOSED


@pytest.fixture
def holds(redis: Redis) -> RedisHolds:
    return RedisHolds(redis, NOW)


async def opened(holds: RedisHolds, limits: Limits) -> RedisHolds:
    await holds.set_limits(CODE, limits, opened=False)
    await holds.set_limits(CODE, limits, opened=True)
    return holds


async def take(holds: RedisHolds, order_id: str, user: str = "ana", minor: int = 100, request: str = "") -> Taken:
    return await holds.take(CODE, Grant(order_id, user, minor), HOLD_MS, request)


async def book(redis: Any) -> tuple[Counters, dict[str, Hold], dict[str, int]]:
    """Counters, grants and uses; the first are checked against the second."""
    counters = read_counters(await redis.hgetall(keys.counters(CODE)))
    raw = await redis.hgetall(keys.holds(CODE))
    found = {order_id.decode(): read_hold(value) for order_id, value in raw.items()}
    for state, minor, grants in (
        (HoldState.HELD, counters.held_minor, counters.held_grants),
        (HoldState.COMMITTED, counters.committed_minor, counters.committed_grants),
    ):
        amounts = [each.amount_minor for each in found.values() if each.state is state]
        assert (minor, grants) == (sum(amounts), len(amounts))
    uses = {user.decode(): int(times) for user, times in (await redis.hgetall(keys.uses(CODE))).items()}
    assert uses == Counter(each.user_id for each in found.values())
    due = {order_id.decode() for order_id in await redis.zrange(keys.due(CODE), 0, -1)}
    assert due == {order_id for order_id, each in found.items() if each.state is HoldState.HELD}
    return counters, found, uses


async def test_a_budget_of_money_and_one_of_grants_end_exactly(holds: RedisHolds, redis: Redis) -> None:
    await opened(holds, Limits(budget_minor=250))
    kinds = [(await take(holds, f"o{n}", f"u{n}")).kind for n in range(3)]
    assert kinds == [TakeKind.GRANTED, TakeKind.GRANTED, TakeKind.SPENT]
    assert (await take(holds, "o4", "u4", 50)).kind is TakeKind.GRANTED
    await opened(holds, Limits(budget_grants=4))
    assert [(await take(holds, f"p{n}", f"p{n}")).kind for n in range(2)] == [TakeKind.GRANTED, TakeKind.SPENT]
    assert (await book(redis))[0].held_grants == 4


async def test_a_user_has_their_uses_and_gets_them_back(holds: RedisHolds) -> None:
    await opened(holds, Limits(uses_per_user=1))
    assert (await take(holds, "o1")).kind is TakeKind.GRANTED
    assert (await take(holds, "o2")).kind is TakeKind.USED
    assert (await take(holds, "o3", "bo")).kind is TakeKind.GRANTED
    assert await holds.settle(CODE, Action.FREE, [Grant("o1", n=1)]) == [MOVED]
    assert (await take(holds, "o2")).kind is TakeKind.GRANTED


async def test_the_same_order_and_the_same_request_find_their_hold(holds: RedisHolds, redis: Redis) -> None:
    await opened(holds, Limits(uses_per_user=1))
    assert await take(holds, "o1", request="r1") == Taken(TakeKind.GRANTED, "o1", 100, 1)
    assert await take(holds, "o1", request="r1") == Taken(TakeKind.GRANTED, "o1", 100, 2)
    assert await take(holds, "o9", request="r1") == Taken(TakeKind.GRANTED, "o1", 100, 3)
    assert (await take(holds, "o9", request="r2")).kind is TakeKind.USED
    # Whoever took it before the last one must not free it.
    assert await holds.settle(CODE, Action.FREE, [Grant("o1", n=2)]) == [SKIPPED]
    assert await holds.settle(CODE, Action.FREE, [Grant("o1", n=3)]) == [MOVED]
    assert await holds.settle(CODE, Action.FREE, [Grant("o1", n=3)]) == [SKIPPED]
    assert await take(holds, "o9", request="r1") == Taken(TakeKind.GRANTED, "o9", 100, 1)
    with pytest.raises(DependencyUnavailable, match="another buyer"):
        await take(holds, "o9", "eve")
    assert await redis.hlen(keys.requests(CODE)) == 1


async def test_every_move_may_be_repeated(holds: RedisHolds, redis: Redis) -> None:
    await opened(holds, Limits(budget_minor=1_000))
    await take(holds, "o1")
    paid = [Grant("o1", "ana", 100)]
    assert await holds.settle(CODE, Action.COMMIT, paid) == [MOVED]
    assert await holds.settle(CODE, Action.COMMIT, paid) == [SKIPPED]
    assert await holds.settle(CODE, Action.FREE, paid) == [SKIPPED]
    assert await holds.settle(CODE, Action.KEEP, [Grant("o1", n=5)]) == [SKIPPED]
    assert (await book(redis))[0].committed_minor == 100
    assert await holds.settle(CODE, Action.REFUND, paid) == [MOVED]
    assert await holds.settle(CODE, Action.REFUND, paid) == [SKIPPED]
    assert await book(redis) == (Counters(Limits(1_000), 0, 0, 0, 0), {}, {})


async def test_what_was_paid_after_its_hold_was_gone_is_counted_even_over_the_budget(
    holds: RedisHolds, redis: Redis
) -> None:
    await opened(holds, Limits(budget_grants=1))
    await take(holds, "o1")
    assert await holds.settle(CODE, Action.COMMIT, [Grant("o2", "bo", 70)]) == [RETAKEN]
    counters, _, uses = await book(redis)
    assert (counters.held_grants, counters.committed_grants, uses) == (1, 1, {"ana": 1, "bo": 1})
    assert (await take(holds, "o3")).kind is TakeKind.SPENT


async def test_what_is_told_late_confirms_a_hold_and_takes_none_anew(holds: RedisHolds, redis: Redis) -> None:
    await opened(holds, Limits(budget_grants=1))
    await take(holds, "o1")
    grant = [Grant("o1", "ana", 100)]
    assert await holds.settle(CODE, Action.CONFIRM, grant) == [MOVED]
    assert await holds.settle(CODE, Action.CONFIRM, grant) == [SKIPPED]
    assert (await book(redis))[0].committed_grants == 1
    assert await holds.settle(CODE, Action.REFUND, grant) == [MOVED]
    assert await holds.settle(CODE, Action.CONFIRM, grant) == [SKIPPED]
    assert await book(redis) == (Counters(Limits(budget_grants=1), 0, 0, 0, 0), {}, {})


async def test_a_voucher_that_redis_does_not_know_gives_nothing_and_settles_nothing(holds: RedisHolds) -> None:
    assert (await take(holds, "o1")).kind is TakeKind.CLOSED
    assert await holds.settle(CODE, Action.COMMIT, [Grant("o1", "ana", 1), Grant("o2", "bo", 1)]) == [CLOSED] * 2
    await holds.set_limits(CODE, Limits(budget_grants=2), opened=False)
    assert (await take(holds, "o1")).kind is TakeKind.CLOSED
    assert await holds.settle(CODE, Action.RESTORE, [Grant("o1", "ana", 1, HOLD_MS)]) == [MOVED]
    assert await holds.standing([CODE], "ana") == {}
    await opened(holds, Limits(budget_grants=2))
    assert (await holds.standing([CODE], "ana"))[CODE][1] == 1
    assert await holds.codes() == [CODE]


async def test_a_voucher_that_was_forgotten_while_its_rows_were_counted_stays_closed(holds: RedisHolds) -> None:
    await opened(holds, Limits(budget_grants=1))
    await holds.settle(CODE, Action.COMMIT, [Grant("o1", "ana", 1)])
    await holds.forget_all()
    # What was counted before is gone: opened now, it would be given once more.
    await holds.set_limits(CODE, Limits(budget_grants=1), opened=True)
    assert (await take(holds, "o2")).kind is TakeKind.CLOSED
    assert await holds.standing([CODE], "ana") == {}
    assert await holds.codes() == [CODE]


async def test_a_limit_below_what_was_given_becomes_what_was_given(holds: RedisHolds, redis: Redis) -> None:
    await opened(holds, Limits(1_000, None, 5))
    for n in range(3):
        await take(holds, f"o{n}")
    await opened(holds, Limits(200, None, 1))
    assert (await book(redis))[0].limits == Limits(300, None, 3)
    assert (await take(holds, "o9", "bo", 1)).kind is TakeKind.SPENT


async def test_what_has_expired_is_named_and_can_be_kept(holds: RedisHolds) -> None:
    await opened(holds, Limits(budget_grants=9))
    await take(holds, "o1")
    await take(holds, "o2")
    await holds.settle(CODE, Action.COMMIT, [Grant("o2", "ana", 100)])
    assert await holds.due(CODE, NOW + HOLD_MS - 1, 9) == []
    assert await holds.due(CODE, NOW + HOLD_MS, 9) == [Grant("o1", "ana", 100, 1)]
    await holds.settle(CODE, Action.KEEP, [Grant("o1", n=2 * HOLD_MS)])
    assert await holds.due(CODE, NOW + HOLD_MS, 9) == []


async def test_a_hold_of_several_takes_can_be_shortened_by_the_last_alone(holds: RedisHolds, redis: Redis) -> None:
    await opened(holds, Limits(budget_grants=9))
    await take(holds, "o1", request="r1")
    assert (await take(holds, "o1", request="r1")).take == 2
    assert await holds.settle(CODE, Action.SHORTEN, [Grant("o1", n=1)]) == [SKIPPED]
    assert await holds.due(CODE, NOW + HOLD_MS - 1, 9) == []
    assert await holds.settle(CODE, Action.SHORTEN, [Grant("o1", n=2)]) == [MOVED]
    assert await holds.due(CODE, NOW + 4_999, 9) == []
    assert await holds.due(CODE, NOW + 5_000, 9) == [Grant("o1", "ana", 100, 2)]
    await book(redis)
    # Whoever takes it again has it for as long as anybody.
    assert (await take(holds, "o1", request="r1")).take == 3
    assert await holds.due(CODE, NOW + HOLD_MS - 1, 9) == []
    await holds.settle(CODE, Action.COMMIT, [Grant("o1", "ana", 100)])
    assert await holds.settle(CODE, Action.SHORTEN, [Grant("o1", n=3), Grant("o2", n=1)]) == [SKIPPED, SKIPPED]


@pytest.mark.parametrize("seed", range(5))
async def test_any_order_of_moves_stays_within_the_budget(holds: RedisHolds, redis: Redis, seed: int) -> None:
    print(f"seed {seed}")
    dice = random.Random(seed)
    await opened(holds, Limits(1_000, None, 3))
    for _ in range(60):
        orders = [dice.randrange(40) for _ in range(10)]
        amounts = [dice.randrange(1, 200) for _ in orders]
        # An order is one buyer's.
        wishes = zip(orders, amounts, strict=True)
        await asyncio.gather(*(take(holds, f"o{n}", f"u{n % 8}", minor) for n, minor in wishes))
        _, found, _ = await book(redis)
        chosen = dice.sample(sorted(found), len(found) // 2)
        action = dice.choice((Action.COMMIT, Action.FREE, Action.REFUND, Action.KEEP))
        await holds.settle(
            CODE, action, [Grant(each, found[each].user_id, found[each].amount_minor) for each in chosen]
        )
        counters, _, uses = await book(redis)
        assert counters.held_minor + counters.committed_minor <= 1_000
        assert max(uses.values(), default=0) <= 3


async def test_a_hold_that_was_answered_survives_kill_9(redis_server: RedisServer, redis: Redis) -> None:
    holds = await opened(RedisHolds(redis), Limits(budget_grants=1))
    assert (await take(holds, "o1")).kind is TakeKind.GRANTED
    await redis_server.restart()
    client = redis_server.client()
    assert (await take(RedisHolds(client), "o2", "bo")).kind is TakeKind.SPENT
    await client.aclose()


async def test_opening_again_hides_nothing_that_was_given_beyond_the_budget(holds: RedisHolds, redis: Redis) -> None:
    limits = Limits(budget_minor=100, budget_grants=1, uses_per_user=1)
    await opened(holds, limits)
    await take(holds, "o1")
    await holds.settle(CODE, Action.COMMIT, [Grant("o2", "ana", 100)])
    await opened(holds, limits)
    assert (await book(redis))[0].limits == limits
    # Lowered below what was given within its limits, it is what was given.
    await opened(holds, Limits(budget_minor=300, budget_grants=3, uses_per_user=3))
    await opened(holds, Limits(budget_minor=50, budget_grants=0, uses_per_user=0))
    assert (await book(redis))[0].limits == Limits(200, 2, 2)
