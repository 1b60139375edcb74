"""The preflight is broken one thing at a time, and exactly the right line turns red."""

from dataclasses import replace

import pytest

from kernel.stock.results import OfferState
from kernel.topics import TOPICS
from tests.unit.preflight.worlds import (
    GIB,
    NOW,
    OFFER,
    counters,
    envoy,
    facts,
    identity,
    kafka,
    redis,
    sale,
    sql,
    stock,
)
from tools.preflight.check import preflight
from tools.preflight.checks import CHECKS
from tools.preflight.facts import Certificate, Facts, HostFacts, TopicFacts, Unread
from tools.preflight.report import Level

INTAKE = TOPICS[0].name
IN_SYNC = {"min.insync.replicas": "2"}
FOR_EVER = {"retention.ms": "-1"}
DOWN = Unread("ConnectionError: refused")


def topics_with(name: str, found: TopicFacts | None) -> dict[str, TopicFacts]:
    changed = dict(kafka().topics)
    if found is None:
        del changed[name]
    else:
        changed[name] = found
    return changed


def in_sync(number: str) -> dict[str, TopicFacts]:
    """Three brokers that acknowledge `number` copies of intake's records, and two of all others'."""
    safe = {name: replace(each, config={**each.config, **IN_SYNC}) for name, each in kafka().topics.items()}
    intake = safe[INTAKE]
    return safe | {INTAKE: replace(intake, config={**intake.config, "min.insync.replicas": number})}


def redis_setting(name: str, value: str) -> Facts:
    return facts(redis=redis(settings={**redis().settings, name: value}))


W, P = Level.WARNING, Level.PROBLEM
BROKEN = [
    ("processes", P, facts(processes={"governor": "no answer on port 15091"}), "governor"),
    ("clusters", P, facts(envoy=envoy(clusters={"checkout": (0, 2)})), "checkout"),
    ("clusters", W, facts(envoy=envoy(clusters={"checkout": (1, 2)})), "1 of 2"),
    ("faults", P, facts(envoy=envoy(faults={"chaos.wallet.abort_percent": "50"})), "chaos.wallet"),
    ("certificates", P, facts(envoy=envoy(certificates={"gateway.pem": Certificate(0)})), "gateway.pem"),
    ("certificates", P, facts(certificates={"a.pem": Certificate(-2)}), "a.pem ended 2.0 days ago"),
    ("certificates", P, facts(certificates={"a.pem": Certificate(90, begins_in=1.5)}), "not valid yet, for 1.5 days"),
    ("certificates", P, facts(certificates={"a.pem": Certificate(why="FileNotFoundError")}), "could not be read"),
    ("certificates", W, facts(envoy=envoy(certificates={"gateway.pem": Certificate(29)})), "29 days"),
    ("keys", P, facts(identity=identity(fits=False)), "JWKS"),
    ("keys", W, facts(identity=identity(mode=0o644)), "644"),
    ("keys", W, facts(identity=identity(age_days=400.0)), "400 days"),
    ("doors", P, facts(identity=identity(doors={"gateway": "the token is not valid here"})), "gateway"),
    ("clocks", P, facts(redis=redis(clock_off_ms=-1000.0)), "-1000 ms"),
    ("clocks", P, facts(sql=sql(clock_off_ms=3600_000.0)), "the database"),
    ("clocks", W, facts(redis=redis(clock_off_ms=100.0)), "+100 ms"),
    ("redis settings", P, redis_setting("appendonly", "no"), "appendonly is no"),
    ("redis settings", P, redis_setting("appendfsync", "everysec"), "appendfsync is everysec"),
    ("redis settings", P, redis_setting("maxmemory-policy", "allkeys-lru"), "maxmemory-policy"),
    ("redis settings", P, facts(redis=redis(role="slave")), "slave"),
    ("redis settings", P, facts(redis=redis(aof_ok=False)), "append-only"),
    ("redis memory", P, facts(redis=redis(used_bytes=4 * GIB - 600_000)), "0 MiB left"),
    ("redis memory", W, facts(redis=redis(used_bytes=4 * GIB - 1_200_000)), "1 MiB left"),
    ("database", P, facts(sql=sql(flush="2")), "innodb_flush_log_at_trx_commit is 2"),
    ("database", P, facts(sql=sql(revision="0000")), "0000"),
    ("topics", P, facts(kafka=kafka(topics=topics_with(INTAKE, None))), f"{INTAKE} is missing"),
    (
        "topics",
        P,
        facts(kafka=kafka(topics=topics_with(INTAKE, TopicFacts(1, {"retention.ms": "-1"})))),
        "partitions is 1",
    ),
    (
        "topics",
        P,
        facts(kafka=kafka(topics=topics_with(INTAKE, TopicFacts(4, {"retention.ms": "60000"})))),
        "retention.ms is 60000",
    ),
    ("topics", P, facts(kafka=kafka(brokers=3, topics=in_sync("1"))), "min.insync.replicas is 1, must be 2"),
    ("queues", W, facts(kafka=kafka(lag={"order_worker": 1001})), "1001 records behind"),
    ("dead letters", W, facts(kafka=kafka(dead={"orders.intake.dlq": 2})), "2 records"),
    ("disk", P, facts(host=HostFacts(GIB - 1)), "GiB are free"),
    ("disk", W, facts(host=HostFacts(2 * GIB)), "2.0 GiB"),
    ("providers", P, facts(providers={"wallet": "wallet did not answer in time"}), "wallet"),
    ("hours", P, facts(sql=sql(sales=[]), wanted="sale-9"), "no sale sale-9"),
    ("hours", P, facts(sql=sql(sales=[sale(state="CLOSED")])), "is closed"),
    ("hours", W, facts(sql=sql(sales=[sale(state="PAUSED")])), "is paused"),
    ("hours", P, facts(sql=sql(sales=[sale(state="OPENING")])), "OPENING"),
    ("hours", P, facts(now_ms=NOW + 120_000), "closed at 2027-01-15T08:02:00+00:00"),
    ("registry", P, facts(stock=stock(registry={})), "does not know phone of sale-1"),
    ("registry", P, facts(stock=stock(registry={("sale-1", "phone"): replace(OFFER, price_minor=1)})), "otherwise"),
    ("stock", P, facts(stock=stock(counters={(7, 0): None})), "has lost the stock"),
    ("stock", P, facts(stock=stock(counters(epoch=2))), "another epoch"),
    ("stock", P, facts(stock=stock(counters(state=OfferState.REBUILDING))), "rebuild of phone of sale-1 is not done"),
    ("stock", P, facts(stock=stock(counters(opens_ms=0))), "other hours"),
    ("stock", P, facts(stock=stock(counters(state=OfferState.CLOSED))), "CLOSED in Redis"),
    ("stock", P, facts(stock=stock(counters(available=999))), "do not add up"),
    ("stock", P, facts(stock=stock(counters(initial=999, available=999))), "another number"),
    ("stock", W, facts(stock=stock(counters(available=998, reserved=2))), "(2, 0) in Redis"),
]


@pytest.mark.parametrize(("check", "level", "world", "words"), BROKEN)
def test_what_is_broken_turns_its_own_line_and_no_other(check: str, level: Level, world: Facts, words: str) -> None:
    report = preflight(world, CHECKS)
    [line] = [line for line in report.lines if line.level is not Level.OK]
    assert (line.check, line.level) == (check, level)
    assert words in line.words
    assert line.todo
    assert report.exit_code == (2 if level is P else 1)


def test_a_good_evening_is_all_green() -> None:
    report = preflight(facts(), CHECKS)
    assert [(line.check, line.level) for line in report.lines] == [(check.name, Level.OK) for check in CHECKS]
    assert report.exit_code == 0


def test_without_a_certificate_that_is_said_and_not_that_all_are_well() -> None:
    report = preflight(facts(envoy=envoy(certificates={}), certificates={}), CHECKS)
    [line] = [line for line in report.lines if line.check == "certificates"]
    assert line.level is Level.OK
    assert line.words.startswith("none in use")
    assert report.exit_code == 0


def test_every_check_is_broken_by_some_test() -> None:
    assert {check.name for check in CHECKS} - {"reach"} == {check for check, *_ in BROKEN}


@pytest.mark.parametrize("source", ["redis", "sql", "kafka", "stock", "envoy", "identity"])
def test_what_cannot_be_read_is_told_and_never_passes(source: str) -> None:
    report = preflight(facts(**{source: DOWN}), CHECKS)
    lines = {line.check: line for line in report.lines}
    assert "refused" in lines["reach"].words
    dependent = [check.name for check in CHECKS if source in check.needs]
    assert dependent
    assert {lines[name].level for name in dependent} == {Level.PROBLEM}
    assert all("not checked" in lines[name].words for name in dependent)
    others = {check.name for check in CHECKS} - {"reach", *dependent}
    assert {lines[name].level for name in others} == {Level.OK}
    assert report.exit_code == 2


@pytest.mark.parametrize(("brokers", "in_sync_replicas"), [(3, "2"), (5, "3"), (2, "1"), (1, "1")])
def test_two_copies_in_sync_are_enough_and_fewer_brokers_need_none(brokers: int, in_sync_replicas: str) -> None:
    world = facts(kafka=kafka(brokers=brokers, topics=in_sync(in_sync_replicas)))
    assert preflight(world, CHECKS).exit_code == 0


def test_problems_weigh_more_than_warnings() -> None:
    both = facts(host=HostFacts(0), kafka=kafka(dead={"orders.intake.dlq": 1}))
    assert preflight(both, CHECKS).exit_code == 2
