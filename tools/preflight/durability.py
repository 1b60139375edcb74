"""Would an acknowledged order survive, and is there room for all of them?"""

from collections.abc import Iterator

from kernel.stock.durability import REQUIRED
from kernel.stock.keys import ORDER_BYTES
from kernel.topics import TOPICS
from meshkit.kafka.topics import losses, misshapen
from tools.preflight.facts import Facts, HostFacts, KafkaServer, RedisServer, SqlServer
from tools.preflight.report import Finding, problem, warning

DISK_PROBLEM_BYTES, DISK_WARNING_BYTES = 1 << 30, 3 << 30


def redis_settings(_: Facts, redis: RedisServer) -> Iterator[Finding]:
    for name, wanted in REQUIRED.items():
        found = redis.settings.get(name, "not set")
        if found != wanted:
            yield problem(f"Redis: {name} is {found}, must be {wanted}", f"redis-cli CONFIG SET {name} {wanted}")
    if redis.role != "master":
        yield problem(f"Redis is a {redis.role}", "a replica refuses writes, and may be stale: use the master")
    if not redis.aof_ok:
        yield problem("Redis could not write its append-only file", "is its disk full? see its log")


def redis_memory(_: Facts, redis: RedisServer, sql: SqlServer) -> Iterator[Finding]:
    units = sum(max(0, each.initial - each.reserved - each.sold) for sale in sql.sales for each in sale.offers)
    needed, left = units * ORDER_BYTES, redis.limit_bytes - redis.used_bytes
    words = f"Redis has {left >> 20} MiB left; {units} units may take {needed >> 20} MiB"
    if left < needed:
        yield problem(words, "raise maxmemory or give it a larger machine: with noeviction it would refuse orders")
    elif left < 2 * needed:
        yield warning(words, "a rewrite of its append-only file may need as much again")


def database_settings(_: Facts, sql: SqlServer) -> Iterator[Finding]:
    if sql.flush != "1":
        words = f"the database: innodb_flush_log_at_trx_commit is {sql.flush}, must be 1"
        yield problem(words, "SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    if sql.revision != sql.head:
        words = f"the database's schema is {sql.revision or 'empty'}, this build's is {sql.head}"
        yield problem(words, "`python -m kernel.migrate`")


def topics(_: Facts, kafka: KafkaServer) -> Iterator[Finding]:
    for spec in TOPICS:
        found = kafka.topics.get(spec.name)
        if found is None:
            yield problem(f"topic {spec.name} is missing", "restart order_worker: it makes what is missing")
            continue
        for what in misshapen(spec, found.partitions) + losses(spec, found.config, kafka.brokers):
            yield problem(f"topic {spec.name}: {what}", "kafka-configs.sh --alter")


def disk(_: Facts, host: HostFacts) -> Iterator[Finding]:
    words = f"{host.disk_free_bytes / (1 << 30):.1f} GiB are free where the run folder is"
    if host.disk_free_bytes < DISK_PROBLEM_BYTES:
        yield problem(words, "make room: a full disk stops Redis, Kafka and the database")
    elif host.disk_free_bytes < DISK_WARNING_BYTES:
        yield warning(words, "make room")
