"""Gathers the facts from every system, read-only, and checks them."""

import sqlite3
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from aiokafka.errors import KafkaError
from google.protobuf.message import DecodeError
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from kernel.order_ids import offer_of
from meshkit.db.engine import database
from meshkit.redis_client import redis_pool
from meshkit.settings import ProcessSettings
from tools.audit.check import check
from tools.audit.facts import Bucket, Database, Facts, Journal, Log, Unread
from tools.audit.invariants import INVARIANTS
from tools.audit.read_history import read_queued
from tools.audit.read_journal import read_journal
from tools.audit.read_kafka import read_log
from tools.audit.read_redis import now_ms, read_buckets
from tools.audit.read_sql import read_database, read_moved
from tools.audit.read_vouchers import VoucherFile, limited_codes, read_vouchers
from tools.audit.report import AuditReport
from tools.audit.vouchers import Vouchers

T = TypeVar("T")
# Longer than a batch of any worker and the outbox relay's 2 s; what is younger may be on its way.
LIVE_GRACE_MS = 30_000
_SERVERS = (OSError, TimeoutError, RedisError, SQLAlchemyError, KafkaError, sqlite3.Error)
FAILURES = (*_SERVERS, DecodeError, ValueError, KeyError)


async def run_audit(
    settings: ProcessSettings, sale_id: str | None = None, histories: Sequence[Path] = (), live: bool = False
) -> AuditReport:
    """Audits one sale, or everything. `histories`: the clients' JSON lines; without any, I4 is unknown.

    `live`: the mesh is at work, so cross-system facts count only once they are LIVE_GRACE_MS old.
    """
    async with database(settings.database, pool_size=1) as engine, redis_pool(settings.redis) as redis:
        # Clients' side first: whatever was promised by then must be found by the reads that follow.
        queued = _queued(histories)
        read = await _attempt(read_database(engine, sale_id))
        clock = await _attempt(now_ms(redis))
        facts = Facts(
            database=read if isinstance(read, Unread) else read[0],
            buckets=await _buckets(redis, read, clock),
            log=await _log(settings.kafka, read),
            journal=_journal(settings.run_dir / "providers" / "journal.sqlite", read),
            queued=queued,
            vouchers=await _vouchers(redis, read, sale_id),
            now_ms=0 if isinstance(clock, Unread) else clock,
            grace_ms=LIVE_GRACE_MS if live else 0,
        )
        if live:
            facts = await _without_moved(engine, facts)
    return check(facts, INVARIANTS)


async def _without_moved(engine: AsyncEngine, facts: Facts) -> Facts:
    """Read last. What cannot be read again may have moved, all of it."""
    moved = await _attempt(read_moved(engine, facts.now_ms - facts.grace_ms))
    return replace(facts, database=moved) if isinstance(moved, Unread) else replace(facts, moved=moved)


async def _attempt(reading: Awaitable[T]) -> T | Unread:
    try:
        return await reading
    except FAILURES as error:
        return Unread(f"{type(error).__name__}: {error}".splitlines()[0][:200])


Read = tuple[Database, dict[int, int]]


async def _buckets(redis: Redis, read: Read | Unread, clock: int | Unread) -> Mapping[tuple[int, int], Bucket] | Unread:
    if isinstance(read, Unread):
        return Unread(f"the registry of offers is in SQL, and {read.why}")
    if isinstance(clock, Unread):
        return clock
    return await _attempt(read_buckets(redis, [(offer, read[1][offer.offer_no]) for offer in read[0].offers]))


async def _log(bootstrap: str, read: Read | Unread) -> Log | Unread:
    if isinstance(read, Unread):
        return Unread(f"the registry of offers is in SQL, and {read.why}")
    return await _attempt(read_log(bootstrap, frozenset(offer.offer_no for offer in read[0].offers)))


def _journal(path: Path, read: Read | Unread) -> Journal | Unread:
    if isinstance(read, Unread):
        return Unread(f"the registry of offers is in SQL, and {read.why}")
    offers = frozenset(offer.offer_no for offer in read[0].offers)
    try:
        return read_journal(path, lambda order_id: _offer_no(order_id) in offers)
    except FAILURES as error:
        return Unread(f"{path.name}: {error}")


async def _vouchers(redis: Redis, read: Read | Unread, sale_id: str | None) -> Vouchers | Unread:
    if isinstance(read, Unread):
        return Unread(f"the registry of offers is in SQL, and {read.why}")
    offers = frozenset(offer.offer_no for offer in read[0].offers)
    path = VoucherFile().promo_vouchers
    try:
        limited = limited_codes(path)
    except FAILURES as error:
        return Unread(f"{path.name}: {error}")
    return await _attempt(
        read_vouchers(redis, limited, lambda order_id: sale_id is None or _offer_no(order_id) in offers)
    )


def _queued(histories: Sequence[Path]) -> frozenset[str] | Unread:
    if not histories:
        return Unread("no client history was given")
    try:
        return read_queued(histories)
    except FAILURES as error:
        return Unread(str(error))


def _offer_no(order_id: str) -> int:
    """The offer an order_id names; -1 for an id that is not ours."""
    try:
        return offer_of(order_id)[0]
    except ValueError:
        return -1
