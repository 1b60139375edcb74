"""A grant's life on real servers: held by a quote, committed or freed by its payment, given up by time."""

import asyncio
import time
from uuid import uuid4

import pytest

from kernel.topics import PAYMENTS_RESULTS
from meshkit.errors import DependencyUnavailable, InvalidFields
from meshkit.money import from_minor
from meshkit.rpc.client import call
from peakmesh.promotion.v1 import promotion_service_pb2 as pb
from tests.integration.promo_svc.world import World
from tests.polling import eventually
from tools import devstack
from tools.devstack import Mesh

APPLIED, REFUSED = pb.PROMOTION_STATE_APPLIED, pb.PROMOTION_STATE_REFUSED


async def held(world: World, code: str, count: int) -> list[str]:
    """order_ids of so many grants."""
    return await granted(world, code, [world.order_id() for _ in range(count)])


async def granted(world: World, code: str, order_ids: list[str]) -> list[str]:
    """A grant each, of a user each."""
    answers = await asyncio.gather(*(world.quote(code, f"u{n}", each) for n, each in enumerate(order_ids)))
    assert {answer.state for answer in answers} == {APPLIED}
    assert [answer.order_id for answer in answers] == order_ids
    return order_ids


async def test_payments_commit_free_and_give_back_what_was_held(world: World) -> None:
    code = world.voucher(budget_grants=4)
    async with world.promotions():
        paid, failed, refunded, late = await held(world, code, 4)
        assert (await world.quote(code, "bo")).reason == "the voucher is used up"
        await world.write("CREATED", [paid, failed, refunded, late], code)
        await world.publisher.publish_all(PAYMENTS_RESULTS, [("x", b"\xff\xff", []), ("y", b"", [])])
        await world.tell("PAID", [paid, refunded])
        await world.tell("FAILED", [failed])
        await world.becomes(code, held=1, committed=2)
        await world.tell("SETTLED", [paid])
        await world.tell("REFUNDED", [refunded])
        await world.becomes(code, held=1, committed=1)
        assert (await world.quote(code, "bo")).state == APPLIED
        assert (await world.quote(code, "cy")).state == APPLIED
        assert (await world.quote(code, "di")).state == REFUSED


async def test_what_is_paid_after_its_hold_was_given_back_is_counted(world: World) -> None:
    code = world.voucher(budget_minor=1_000, currency="EUR")
    async with world.promotions():
        [order_id] = await held(world, code, 1)
        unused = pb.UnusedHold(voucher_code=code, order_id=order_id, take=1)
        request = pb.FreeHoldsRequest(holds=[unused, unused])
        assert (await call(world.stub.FreeHolds, request, timeout=5, dependency="promo")).freed == 1
        await world.becomes(code, held=0, committed=0)
        await world.write("PAID", [order_id], code)
        await world.tell("PAID", [order_id])
        await world.becomes(code, held=0, committed=1)
        assert (await world.counters(code)).committed_minor == 100


async def test_what_was_refunded_is_free_though_paid_or_settled_is_told_after_it(world: World) -> None:
    """The rows are PAID still: order_worker has read no REFUNDED yet. The last order tells when all was read."""
    code = world.voucher(budget_grants=4)
    async with world.promotions():
        settled, repeated, taken_up, last = await held(world, code, 4)
        await world.write("PAID", [settled, repeated, taken_up, last], code)
        await world.tell("PAID", [settled, repeated, taken_up])
        await world.becomes(code, held=1, committed=3)
        await world.refund([settled, repeated])
        await world.tell("REFUNDED", [settled, repeated])
        await world.becomes(code, held=1, committed=1)
        await world.tell("SETTLED", [settled])
        await world.tell("PAID", [repeated])
        await world.everything_is_read()
        assert await world.grants(code) == (1, 1)
        await world.tell("PAID", [last])
        await world.becomes(code, held=0, committed=2)


async def test_a_refused_request_that_was_tapped_twice_gives_its_hold_back_within_seconds(world: World) -> None:
    code = world.voucher(budget_grants=3)
    async with world.promotions():
        unused = []
        for _ in range(3):
            request_id = str(uuid4())
            taps = [await world.quote(code, request_id=request_id, request_hash="aa") for _ in range(2)]
            unused += [pb.UnusedHold(voucher_code=code, order_id=each.order_id, take=each.take) for each in taps]
        # One of them is being made an order of, by the call that took it first.
        await world.reserve(unused[0].order_id)
        assert await world.grants(code) == (3, 0)
        assert (
            await call(world.stub.FreeHolds, pb.FreeHoldsRequest(holds=unused), timeout=5, dependency="promo")
        ).freed == 0
        await world.becomes(code, held=1, committed=0)
        assert [each.decode() for each in await world.redis.hkeys(f"vhl:{{v:{code}}}")] == [unused[0].order_id]


async def test_time_nominates_and_the_order_decides(world: World) -> None:
    code = world.voucher(budget_grants=9)
    gone, reserved, at_list_price, paid, expired, unpaid = orders = [world.order_id() for _ in range(6)]
    async with world.promotions(promo_hold_seconds=0.3):
        # Before the quotes: their time is over sooner than a slow machine could write all of it.
        await world.reserve(reserved)
        await world.write("CREATED", [at_list_price], "")
        await world.write("PAID", [paid], code)
        await world.write("EXPIRED", [expired], code)
        await world.write("CREATED", [unpaid], code)
        await granted(world, code, orders)
        await world.becomes(code, held=2, committed=1)
        found = {each.decode() for each in await world.redis.hkeys(f"vhl:{{v:{code}}}")}
        assert found == {reserved, paid, unpaid}
        assert gone not in found


async def test_with_promo_svc_dead_nothing_is_lost_and_the_budget_stands(world: World) -> None:
    code = world.voucher(budget_grants=2)
    async with world.promotions():
        first, second = await held(world, code, 2)
        await world.write("CREATED", [first, second], code)
    await world.tell("PAID", [first])
    await world.tell("FAILED", [second])
    assert await world.grants(code) == (2, 0)
    async with world.promotions():
        await world.becomes(code, held=0, committed=1)
        assert (await world.quote(code, "bo")).state == APPLIED
        assert (await world.quote(code, "cy")).state == REFUSED


async def test_a_redis_that_forgot_a_voucher_learns_from_the_rows_what_it_gave(world: World) -> None:
    code = world.voucher(budget_grants=4, uses_per_user=9)
    async with world.promotions():
        paid, unpaid, failed = await held(world, code, 3)
        await world.write("PAID", [paid], code)
        await world.write("CREATED", [unpaid], code)
        await world.write("PAYMENT_FAILED", [failed], code)
        await world.forget(code)
        await world.tell("SETTLED", [paid])
        await eventually(lambda: world._is_open(code))
        await world.becomes(code, held=1, committed=1)
        assert [(await world.quote(code, f"n{n}")).state for n in range(3)] == [APPLIED, APPLIED, REFUSED]


async def test_the_same_request_has_one_hold_and_another_body_one_of_its_own(world: World) -> None:
    code = world.voucher(uses_per_user=1)
    request_id = str(uuid4())
    async with world.promotions():
        one = await world.quote(code, request_id=request_id, request_hash="aa")
        same = await world.quote(code, request_id=request_id, request_hash="aa")
        other = await world.quote(code, request_id=request_id, request_hash="bb")
        assert (same.order_id, same.take, same.discount) == (one.order_id, 2, one.discount)
        assert (other.state, other.reason) == (REFUSED, "you have used the voucher as often as you may")
        assert await world.grants(code) == (1, 0)


async def test_a_quote_that_takes_nothing_off_takes_nothing_of_the_budget(world: World) -> None:
    code = world.voucher(budget_grants=1)
    async with world.promotions():
        free = await world.quote(code, unit_price=from_minor(0, "EUR"))
        assert (free.state, free.order_id, free.take) == (APPLIED, "", 0)
        assert await world.grants(code) == (0, 0)


async def test_a_hold_takes_a_few_milliseconds(world: World) -> None:
    code = world.voucher(budget_grants=1_000)
    async with world.promotions():
        seconds = []
        for number in range(100):
            started = time.perf_counter()
            await world.quote(code, f"u{number}")
            seconds.append(time.perf_counter() - started)
    # Envoy cuts a quote off at 45 ms; the machine is shared, so the median and not the worst.
    assert sorted(seconds)[50] < 0.02, f"median {sorted(seconds)[50] * 1000:.1f} ms"


async def test_a_frozen_redis_is_no_answer_within_envoys_time(world: World, servers: Mesh) -> None:
    code = world.voucher(budget_grants=9)
    async with world.promotions(promo_redis_ms=35):
        await eventually(lambda: _answers(world, code))
        devstack.pause_process("redis", servers)
        try:
            seconds = []
            for _ in range(10):
                started = time.perf_counter()
                with pytest.raises(DependencyUnavailable):
                    await world.quote(code)
                seconds.append(time.perf_counter() - started)
        finally:
            devstack.resume_process("redis", servers)
        assert min(seconds) < 0.045
        await eventually(lambda: _answers(world, code))


async def _answers(world: World, code: str) -> bool:
    try:
        return (await world.quote(code, "bo")).state == APPLIED
    except DependencyUnavailable:
        return False


async def test_the_list_shows_what_is_usable_now_and_pages(world: World) -> None:
    codes = [world.voucher(uses_per_user=2) for _ in range(3)]
    spent, hidden = world.voucher(budget_grants=1), world.voucher(listed=False)
    old = world.voucher(valid_until="2021-01-01T00:00:00Z")
    free = world.voucher(fixed_minor=500, percent_basis_points=None, currency="EUR", min_spend_minor=1_000)
    async with world.promotions():
        await world.quote(spent, "bo")
        used = codes[0]
        for _ in range(2):
            await world.quote(used, "ana")
        await world.quote(codes[1], "ana")
        shown = {each.code: each for each in (await world.list("ana")).vouchers}
        assert shown.keys() == {codes[1], codes[2], free}
        assert not shown.keys() & {used, spent, hidden, old}
        assert (shown[codes[1]].remaining_uses, shown[codes[2]].remaining_uses) == (1, 2)
        assert shown[codes[1]].percent_basis_points == 1_000
        assert not shown[free].HasField("remaining_uses")
        assert (shown[free].fixed.units, shown[free].min_spend.units) == (5, 10)
        assert used in {each.code for each in (await world.list("bo")).vouchers}
        paged, token = [], ""
        while True:
            page = await world.list("ana", page_size=1, page_token=token)
            paged += [each.code for each in page.vouchers]
            token = page.next_page_token
            if not token:
                break
        assert paged == sorted(shown)
        for field, value in (("page_size", -1), ("page_token", "ü"), ("page_token", "%%")):
            with pytest.raises(InvalidFields, match=field):
                await world.list("ana", **{field: value})
