"""The registry of offers, and the names under which Redis keeps an offer's stock."""

import json

import pytest
from redis.crc import key_slot

from kernel.offers import Offer, decode, encode
from kernel.stock import keys
from kernel.topics import DLQ_RETENTION_MS, PARTITIONS, RETENTION_MS, TOPICS, dlq_topic, retry_topic, retry_topics

OFFER = Offer(7, "sale-1", "sku-1", 1999, "EUR", 3, 250, 2, 1, 5)


def test_an_offer_comes_back_as_it_was() -> None:
    assert decode(encode(OFFER)) == OFFER
    assert decode(encode(OFFER).encode()) == OFFER


def test_a_newer_build_may_add_fields() -> None:
    assert decode(json.dumps({**json.loads(encode(OFFER)), "colour": "red"})) == OFFER


@pytest.mark.parametrize("text", ["", "[]", "{}", "7", '{"offer_no": 7}'])
def test_anything_else_is_no_offer(text: str) -> None:
    with pytest.raises(ValueError, match=r"not an offer|Expecting value"):
        decode(text)


@pytest.mark.parametrize("user", ["ann", "{other}", "}{", "{"])
def test_all_keys_of_a_bucket_share_one_hash_slot(user: str) -> None:
    named = [keys.stock, keys.reservations, keys.holdings, keys.outbox, keys.deadlines]
    names = [name(7, 1) for name in named] + [keys.idempotency(7, 1, user, "r")]
    assert len({key_slot(name.encode()) for name in names}) == 1
    assert len(set(names)) == 6


def test_every_topic_has_its_retries_and_its_dlq() -> None:
    declared = {spec.name: spec for spec in TOPICS}
    assert len(declared) == len(TOPICS) == 15
    for topic in ("orders.intake", "orders.created", "payments.results"):
        family = [topic, *retry_topics(topic), dlq_topic(topic)]
        assert [name for name in family if name not in declared] == []
        assert declared[dlq_topic(topic)].retention_ms == DLQ_RETENTION_MS > RETENTION_MS
    assert {spec.partitions for spec in TOPICS} == {PARTITIONS}
    assert retry_topic("orders.intake", "5s") == "orders.intake.retry.5s"
    with pytest.raises(KeyError):
        retry_topic("orders.intake", "6s")
