"""Vouchers as Redis has them: each read in one transaction."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from kernel.vouchers import keys
from kernel.vouchers.records import Limits, read_counters, read_hold
from meshkit.settings import ProcessSettings
from tools.audit.facts import VoucherBook


class VoucherFile(ProcessSettings):
    """The file that promo_svc reads, by its setting."""

    promo_vouchers: Path = Path(__file__).parents[2] / "promo_svc" / "vouchers.json"


def limited_codes(path: Path) -> frozenset[str]:
    """Vouchers of promo_svc's file that have limits. Raises OSError, and ValueError for what is no such file."""
    limits = [each.name for each in fields(Limits)]
    try:
        entries: Any = json.loads(path.read_bytes())["vouchers"]
        return frozenset(str(entry["code"]) for entry in entries if any(entry.get(limit) for limit in limits))
    except (TypeError, AttributeError, KeyError):
        raise ValueError("it lists no vouchers") from None


async def read_vouchers(
    redis: Redis, limited: Iterable[str], mine: Callable[[str], bool]
) -> Mapping[str, VoucherBook | None]:
    """Every voucher that ever had a limit, and those of `limited`; None for one that Redis knows nothing of.

    `mine`: whether an order_id is of the sales that are audited.
    """
    known: Any = await redis.smembers(keys.REGISTRY)
    codes = {code.decode() for code in known} | set(limited)
    return {code: await _read(redis, code, mine) for code in sorted(codes)}


async def _read(redis: Redis, code: str, mine: Callable[[str], bool]) -> VoucherBook | None:
    async with redis.pipeline(transaction=True) as pipe:
        pipe.hgetall(keys.counters(code))
        pipe.hgetall(keys.holds(code))
        pipe.hgetall(keys.uses(code))
        counters, holds, uses = await pipe.execute()
    if not counters:
        return None
    return VoucherBook(
        counters=read_counters(counters),
        holds={order_id.decode(): read_hold(value) for order_id, value in holds.items()},
        uses={user.decode(): int(times) for user, times in uses.items()},
        elsewhere=frozenset(order_id.decode() for order_id in holds if not mine(order_id.decode())),
    )
