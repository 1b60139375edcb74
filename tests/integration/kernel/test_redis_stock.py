"""The Redis adapter: the port's promises, and what only a real server can get wrong."""

import asyncio
from pathlib import Path

import pytest
from redis.asyncio import Redis

from kernel.offers import Offer, load_offers, publish_offer
from kernel.stock import keys
from kernel.stock.durability import UnsafeRedisError, check_durability
from kernel.stock.redis_adapter import RedisStock
from kernel.stock.restored import RestoredBucket
from kernel.stock.results import MoveKind, ReserveBatch, ReserveKind
from meshkit.errors import DependencyUnavailable
from tests.integration.kernel.redis_server import RedisServer, dump
from tests.integration.kernel.stock_requests import EPOCH, OFFER, kinds, opened, request, tally
from tests.integration.kernel.stock_suite import StockSuite


class TestRedisStock(StockSuite):
    """`stock` comes from conftest.py."""


async def test_an_idempotency_key_lives_a_day_and_a_replay_does_not_renew_it(redis: Redis, stock: RedisStock) -> None:
    await opened(stock, 5)
    wish = request("ann")
    name = keys.idempotency(7, 0, "ann", wish.request_id)
    await stock.reserve(7, 0, EPOCH, [wish])
    assert keys.IDEMPOTENCY_SECONDS == 24 * 3600
    assert keys.IDEMPOTENCY_SECONDS - 60 < await redis.ttl(name) <= keys.IDEMPOTENCY_SECONDS
    await redis.expire(name, 100)
    [replay] = await stock.reserve(7, 0, EPOCH, [wish])
    assert replay.kind is ReserveKind.REPLAY
    assert await redis.ttl(name) <= 100


async def test_without_its_key_a_request_is_a_new_one(redis: Redis, stock: RedisStock) -> None:
    """What a retry later than a day meets; the database's UNIQUE index, which never expires, still refuses it."""
    await opened(stock, 5)
    wish = request("ann")
    await stock.reserve(7, 0, EPOCH, [wish])
    assert await redis.delete(keys.idempotency(7, 0, "ann", wish.request_id)) == 1
    [again] = await stock.reserve(7, 0, EPOCH, [request("ann", request_id=wish.request_id)])
    assert again.kind is ReserveKind.RESERVED


@pytest.mark.parametrize("name", ["stk", "rsv", "lim", "out", "due", "idm"])
async def test_a_key_of_the_wrong_type_leaves_nothing_written(redis: Redis, stock: RedisStock, name: str) -> None:
    await opened(stock, 5)
    known, wish = request("ann"), request("bob")
    await stock.reserve(7, 0, EPOCH, [known])
    spoilt = keys.idempotency(7, 0, "bob", wish.request_id) if name == "idm" else keys.name(name, 7, 0)
    await redis.delete(spoilt)
    await redis.rpush(spoilt, "a list")
    before = await dump(redis)
    with pytest.raises(DependencyUnavailable):
        await stock.reserve(7, 0, EPOCH, [request("cid"), wish])
    if name in ("stk", "rsv", "lim", "due"):
        with pytest.raises(DependencyUnavailable):
            await stock.release(EPOCH, [known.order_id])
    assert await dump(redis) == before


@pytest.mark.parametrize("field", ["avail", "reserved", "limit", "opens_at"])
@pytest.mark.parametrize("value", ["", "many", "1.5"])
async def test_a_broken_counter_leaves_nothing_written(redis: Redis, stock: RedisStock, field: str, value: str) -> None:
    await opened(stock, 5)
    await redis.hset(keys.stock(7, 0), field, value)
    before = await dump(redis)
    with pytest.raises(DependencyUnavailable):
        await stock.reserve(7, 0, EPOCH, [request()])
    assert await dump(redis) == before


async def test_a_full_memory_leaves_nothing_written(redis: Redis, stock: RedisStock) -> None:
    await opened(stock, 5)
    before = await dump(redis)
    await redis.config_set("maxmemory", 1)
    try:
        with pytest.raises(DependencyUnavailable, match="used memory > 'maxmemory'"):
            await stock.reserve(7, 0, EPOCH, [request()])
    finally:
        await redis.config_set("maxmemory", 0)
    assert await dump(redis) == before
    assert await kinds(stock, request()) == [ReserveKind.RESERVED]


async def test_one_broken_offer_does_not_take_the_others_along(redis: Redis, stock: RedisStock) -> None:
    await opened(stock, 1, offer_no=7)
    await redis.set(keys.stock(8, 0), "not a hash")
    broken, fine = await stock.reserve_many(
        [ReserveBatch(8, 0, EPOCH, [request(offer_no=8)]), ReserveBatch(7, 0, EPOCH, [request()])]
    )
    assert isinstance(broken, DependencyUnavailable)
    assert isinstance(fine, list)
    assert fine[0].kind is ReserveKind.RESERVED


async def test_forgotten_scripts_are_loaded_again(redis: Redis, stock: RedisStock) -> None:
    await opened(stock, 5)
    await redis.script_flush()
    assert await kinds(stock, request()) == [ReserveKind.RESERVED]
    assert await tally(stock) == (4, 1, 0)


async def test_counters_that_were_lost_while_reservations_stayed_are_not_opened_anew(
    redis: Redis, stock: RedisStock
) -> None:
    await opened(stock, 1)
    await stock.reserve(7, 0, EPOCH, [request()])
    await redis.delete(keys.stock(7, 0))
    with pytest.raises(DependencyUnavailable, match="outlived"):
        await stock.open_offer(OFFER, 1, 0, 0)


async def test_a_bucket_of_the_layout_before_is_refused_and_forgotten_by_a_rebuild(
    redis: Redis, stock: RedisStock
) -> None:
    await opened(stock, 5)
    wish = request()
    await stock.reserve(7, 0, EPOCH, [wish])
    for name, former in zip(keys.all_of(7, 0), keys.former(7, 0), strict=True):
        await redis.rename(name, former)
    before = await dump(redis)
    assert await kinds(stock, request()) == [ReserveKind.STALE_EPOCH]
    assert await stock.confirm(EPOCH, [wish.order_id]) == [MoveKind.STALE_EPOCH]
    assert not (await stock.mark_pending(EPOCH, wish.order_id)).found
    assert (await stock.counters(7, 0), await stock.reservation(wish.order_id)) == (None, None)
    with pytest.raises(DependencyUnavailable, match=r"stk:\{7:0\} outlived stk2:\{7:0\}: rebuild it"):
        await stock.open_offer(OFFER, 5, 0, 0)
    assert await dump(redis) == before
    await stock.restore(RestoredBucket(OFFER, 0, 5, 0, 0, []), stock.now_ms)
    assert await redis.exists(*keys.former(7, 0)) == 0
    assert await tally(stock) == (5, 0, 0)


async def test_without_a_clock_given_it_is_redis_time(redis: Redis) -> None:
    stock = RedisStock(redis)
    await opened(stock, 5)
    wish = request()
    [result] = await stock.reserve(7, 0, EPOCH, [wish])
    seconds, micros = await redis.time()
    assert 0 <= seconds * 1000 + micros // 1000 - (result.deadline_ms - wish.deadline_after_ms) < 5_000
    [entry] = await stock.outbox_entries(7, 0, 0, 10)
    assert 0 <= entry.age_ms < 5_000


async def test_many_clients_race_in_batches(redis_server: RedisServer, stock: RedisStock) -> None:
    await opened(stock, 50)
    clients = [redis_server.client() for _ in range(8)]
    batches = [[request(f"user-{n}-{i}") for i in range(25)] for n in range(8)]
    stocks = [RedisStock(client) for client in clients]
    outcomes = await asyncio.gather(*(s.reserve(7, 0, EPOCH, b) for s, b in zip(stocks, batches, strict=True)))
    assert sum(result.kind is ReserveKind.RESERVED for batch in outcomes for result in batch) == 50
    assert await tally(stock) == (0, 50, 0)
    for client in clients:
        await client.aclose()


async def test_an_unreachable_server_is_an_unknown_outcome(tmp_path: Path) -> None:
    client = RedisServer(tmp_path).client()
    for call in (RedisStock(client).reserve(7, 0, EPOCH, [request()]), RedisStock(client).counters(7, 0)):
        with pytest.raises(DependencyUnavailable) as raised:
            await call
        assert raised.value.dependency == "redis"
    await client.aclose()


async def test_a_redis_that_could_lose_orders_is_refused(redis: Redis) -> None:
    await check_durability(redis)
    await redis.config_set("appendfsync", "everysec")
    try:
        with pytest.raises(UnsafeRedisError, match="appendfsync is everysec, must be always"):
            await check_durability(redis)
        await check_durability(redis, unsafe=True)
    finally:
        await redis.config_set("appendfsync", "always")


async def test_the_registry_of_offers(redis: Redis) -> None:
    other = Offer(8, "sale-1", "sku-2", 5, "EUR", 1, 1, 1, 1, 1)
    for offer in (OFFER, other, OFFER):
        await publish_offer(redis, offer)
    assert await load_offers(redis) == {("sale-1", "sku-1"): OFFER, ("sale-1", "sku-2"): other}
