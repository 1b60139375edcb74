"""The Redis adapter of carts: the port's promises, and what only a real server can get wrong."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from redis.asyncio import Redis

from checkout_svc.cart import Action
from checkout_svc.cart_store import REMEMBERED, RedisCarts
from meshkit.errors import DependencyUnavailable
from tests.integration.checkout_svc.cart_suite import (
    CASE,
    LIMITS,
    ORDER,
    PHONE,
    SOLD_OUT,
    CartSuite,
    add,
    change,
    seen,
)
from tests.integration.kernel.redis_server import RedisServer, dump


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with tempfile.TemporaryDirectory(prefix="redis") as folder:
        started = RedisServer(Path(folder))
        asyncio.run(started.start())
        yield started
        started.kill()


@pytest.fixture
async def redis(server: RedisServer) -> AsyncIterator[Redis]:
    client = server.client()
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def carts(redis: Redis) -> RedisCarts:
    return RedisCarts(redis, LIMITS)


class TestRedisCarts(CartSuite):
    """`carts` is the fixture above."""


async def test_a_cart_expires_so_long_after_its_last_change(redis: Redis, carts: RedisCarts) -> None:
    async def lives(name: str, seconds: int) -> bool:
        # Whole seconds, of a time that runs.
        return seconds - 60 < await redis.ttl(name) <= seconds

    await add(carts, PHONE)
    assert await lives("cart:{ana}", LIMITS.seconds)
    await redis.expire("cart:{ana}", 60)
    await carts.read("ana")
    await carts.freeze("ana", "r1", "body")
    assert await lives("cart:{ana}", 60)
    await add(carts, PHONE)
    assert await lives("cart:{ana}", LIMITS.seconds)
    assert await lives("frozen:{ana}:r1", LIMITS.frozen_seconds)
    assert await lives("begun:{ana}", LIMITS.frozen_seconds)


async def test_what_a_user_can_make_has_a_bound(redis: Redis, carts: RedisCarts) -> None:
    first = change(Action.ADD, PHONE)
    await carts.change("ana", first)
    for number in range(REMEMBERED):
        await carts.change("ana", change(Action.SET, PHONE, quantity=1 + number % 9))
        if number < REMEMBERED - 1:
            [line] = await carts.change("ana", first)
            assert line.quantity == 1 + number % 9
    recent = await redis.hget("cart:{ana}", "recent")
    assert recent is not None
    assert len(recent) == 54 * REMEMBERED
    assert sorted(await redis.keys()) == [b"cart:{ana}"]
    # Forgotten by now: it is done again.
    before = (await carts.read("ana"))[0].quantity
    assert seen(await carts.change("ana", first)) == [("phone", before + 2)]


async def test_scripts_are_loaded_again_where_redis_has_forgotten_them(redis: Redis, carts: RedisCarts) -> None:
    await add(carts, PHONE)
    await redis.script_flush()
    assert seen(await add(carts, PHONE)) == [("phone", 4)]


async def test_what_was_answered_survives_kill_9(server: RedisServer, redis: Redis, carts: RedisCarts) -> None:
    await add(carts, PHONE)
    await add(carts, CASE)
    await carts.freeze("ana", "r1", "body")
    settled = await carts.settle("ana", "r1", {PHONE.offer: ORDER, CASE.offer: SOLD_OUT})
    server.kill()
    with pytest.raises(DependencyUnavailable):
        await carts.read("ana")
    with pytest.raises(DependencyUnavailable):
        await carts.freeze("ana", "r1", "body")
    await server.restart()
    assert await carts.freeze("ana", "r1", "body") == settled
    assert seen(await carts.read("ana")) == [("case", 1)]


@pytest.mark.parametrize("name", ["cart:{ana}", "frozen:{ana}:r1", "begun:{ana}"])
async def test_a_key_of_the_wrong_type_leaves_nothing_written(redis: Redis, carts: RedisCarts, name: str) -> None:
    await add(carts, PHONE)
    await redis.delete(name)
    await redis.rpush(name, "a list")
    before = await dump(redis)
    with pytest.raises(DependencyUnavailable):
        await carts.freeze("ana", "r1", "body")
    if name.startswith("cart"):
        with pytest.raises(DependencyUnavailable):
            await add(carts, PHONE)
    assert await dump(redis) == before


async def test_parallel_adds_of_one_request_are_one(carts: RedisCarts) -> None:
    wish = change(Action.ADD, PHONE, str(uuid4()))
    await asyncio.gather(*[carts.change("ana", wish) for _ in range(20)])
    assert seen(await carts.read("ana")) == [("phone", 2)]


async def test_parallel_settles_shorten_the_cart_once(carts: RedisCarts) -> None:
    await add(carts, PHONE)
    await carts.freeze("ana", "r1", "body")
    await add(carts, PHONE)
    await asyncio.gather(*[carts.settle("ana", "r1", {PHONE.offer: ORDER}) for _ in range(20)])
    assert seen(await carts.read("ana")) == [("phone", 2)]
