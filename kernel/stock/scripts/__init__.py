"""The Lua scripts, and how they are run: EVALSHA, loaded again where Redis has forgotten them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

Argument = str | bytes | int


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a script."""

    script: str
    keys: Sequence[str]
    args: Sequence[Argument]


@cache
def source(script: str) -> str:
    """The script's text with the prelude in front."""
    folder = files(__package__)
    return (folder / "prelude.lua").read_text("utf-8") + (folder / f"{script}.lua").read_text("utf-8")


@cache
def digest(script: str) -> str:
    return sha1(source(script).encode(), usedforsecurity=False).hexdigest()


async def run_all(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    """One reply a call, in order, in one round trip; a call that failed has its exception for a reply."""
    replies = await _evaluate(redis, calls)
    missing = [i for i, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
    if missing:
        # After a restart, or SCRIPT FLUSH. A script that was not found did nothing, so only those run again.
        for script in {calls[i].script for i in missing}:
            await redis.script_load(source(script))
        again = await _evaluate(redis, [calls[i] for i in missing])
        for i, reply in zip(missing, again, strict=True):
            replies[i] = reply
    return replies


async def _evaluate(redis: Redis, calls: Sequence[Call]) -> list[Any]:
    async with redis.pipeline(transaction=False) as pipeline:
        for call in calls:
            pipeline.evalsha(digest(call.script), len(call.keys), *call.keys, *call.args)
        return list(await pipeline.execute(raise_on_error=False))
