"""Is what is on sale tonight where it must be?"""

from collections.abc import Iterator
from datetime import UTC, datetime

from kernel.stock.results import OfferState
from tools.preflight.facts import Facts, IdentityFacts, KafkaServer, OfferOnSale, SaleFacts, SqlServer, StockFacts
from tools.preflight.report import Finding, problem, warning

LAG_WARNING = 1_000
KEY_WARNING_DAYS = 365


def hours(facts: Facts, sql: SqlServer) -> Iterator[Finding]:
    if facts.wanted and not sql.sales:
        yield problem(f"there is no sale {facts.wanted}", "`peakmesh sale list`")
    for sale in sql.sales:
        if sale.state == "CLOSED":
            yield problem(f"{sale.sale_id} is closed", "a closed sale stays closed: open another")
        elif 0 < sale.closes_ms <= facts.now_ms:
            yield problem(f"{sale.sale_id} closed at {_time(sale.closes_ms)}", "its hours are over: open another")
        elif sale.state == "PAUSED":
            yield warning(f"{sale.sale_id} is paused", f"`peakmesh sale resume {sale.sale_id}`")
        elif sale.state != "OPEN":
            yield problem(f"{sale.sale_id} is {sale.state}", "half done: is the governor up? it finishes by itself")


def registry(_: Facts, sql: SqlServer, stock: StockFacts) -> Iterator[Finding]:
    for sale in sql.sales:
        for each in sale.offers:
            found = stock.registry.get((sale.sale_id, each.offer.sku))
            if found is None:
                yield problem(f"checkout does not know {_name(each)}", "is the governor up? it publishes every 5 s")
            elif found != each.offer:
                yield problem(f"checkout has {_name(each)} otherwise than SQL", "is the governor up?")


def counters(facts: Facts, sql: SqlServer, stock: StockFacts) -> Iterator[Finding]:
    for sale in sql.sales:
        if sale.state != "CLOSED":
            for each in sale.offers:
                yield from _offer(facts, sale, each, stock)


def _offer(_: Facts, sale: SaleFacts, each: OfferOnSale, stock: StockFacts) -> Iterator[Finding]:
    name, found = _name(each), [stock.counters.get((each.offer.offer_no, n)) for n in range(each.offer.buckets)]
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        yield problem(f"Redis has lost the stock of {name}: it sells nothing", _rebuild(sale))
        return
    if any(one.state is OfferState.REBUILDING for one in known):
        yield problem(f"the rebuild of {name} is not done", f"repeat {_rebuild(sale)}")
        return
    if any(one.epoch != each.offer.epoch for one in known):
        yield problem(f"Redis has {name} in another epoch than SQL: it sells nothing", _rebuild(sale))
        return
    if any((one.opens_ms, one.closes_ms) != (sale.opens_ms, sale.closes_ms) for one in known):
        yield problem(f"Redis has other hours for {name} than SQL", "open another sale; close this one")
    if sale.state == "OPEN" and any(one.state is not OfferState.OPEN for one in known):
        yield problem(
            f"{name} is {known[0].state} in Redis", "it was oversold and closed, or is being resumed: see the log"
        )
    if any(one.initial != one.available + one.reserved + one.sold for one in known):
        yield problem(f"units of {name} do not add up in Redis", "`peakmesh audit`")
    if sum(one.initial for one in known) != each.initial:
        yield problem(f"SQL has {each.initial} units of {name}, Redis another number", "is the governor up?")
    held = tuple(sum(getattr(one, what) for one in known) for what in ("reserved", "sold"))
    if held != (each.reserved, each.sold):
        words = f"{name}: (reserved, sold) is {held} in Redis and {(each.reserved, each.sold)} in SQL"
        yield warning(words, "orders are on their way; if it stays so: `peakmesh audit`")


def queues(_: Facts, kafka: KafkaServer) -> Iterator[Finding]:
    for group, lag in kafka.lag.items():
        if lag > LAG_WARNING:
            yield warning(f"{group} is {lag} records behind", "let it catch up before the sale: is it at work?")


def dead_letters(_: Facts, kafka: KafkaServer) -> Iterator[Finding]:
    for topic, number in kafka.dead.items():
        if number:
            yield warning(f"{number} records in {topic}", "`peakmesh order stuck` tells which need you")


def keys(_: Facts, identity: IdentityFacts) -> Iterator[Finding]:
    if not identity.fits:
        yield problem("a token of our private key does not pass our JWKS", "the key was replaced: make both anew")
    if identity.mode & 0o077:
        yield warning(f"the private key has mode {identity.mode:o}", "chmod 600")
    if identity.age_days > KEY_WARNING_DAYS:
        yield warning(f"the private key is {identity.age_days:.0f} days old", "replace it between two sales")


def doors(_: Facts, identity: IdentityFacts) -> Iterator[Finding]:
    for door, why in identity.doors.items():
        if why:
            yield problem(f"a call through the {door} door failed: {why}", "has Envoy the present JWKS? restart it")


def _rebuild(sale: SaleFacts) -> str:
    return f"`peakmesh stock rebuild --sale {sale.sale_id} --reason TEXT`; --all where all of Redis is empty"


def _name(each: OfferOnSale) -> str:
    return f"{each.offer.sku} of {each.offer.sale_id}"


def _time(millis: int) -> str:
    return datetime.fromtimestamp(millis / 1000, UTC).isoformat(timespec="seconds")
