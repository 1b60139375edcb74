"""What a Redis must be before stock is entrusted to it."""

from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from meshkit.log import get_logger

log = get_logger(__name__)

# Without these an acknowledged reservation can be lost (restart, eviction), and its unit sold twice.
REQUIRED = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"}


class UnsafeRedisError(Exception):
    """The server could lose reservations; the message names every setting that is wrong."""


async def check_durability(redis: Redis, unsafe: bool = False) -> None:
    """Raises UnsafeRedisError; with `unsafe`, logs what is wrong instead."""
    wrong = await _wrong_settings(redis)
    if wrong and not unsafe:
        raise UnsafeRedisError("; ".join(wrong))
    for each in wrong:
        log.warning("unsafe server accepted", reason=each)


async def _wrong_settings(redis: Redis) -> list[str]:
    """Whether it is a master is asked of each connection (meshkit/redis_client.py)."""
    try:
        settings: Any = await redis.config_get(*REQUIRED)
        found = {_text(name): _text(value) for name, value in settings.items()}
    except ResponseError as error:
        return [f"its settings cannot be read: {error}"]
    differing = [name for name, want in REQUIRED.items() if found.get(name) != want]
    return [f"{name} is {found.get(name)}, must be {REQUIRED[name]}" for name in differing]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
