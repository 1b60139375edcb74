"""What a broker's settings could lose, by the number of brokers: the dev stack has one, production three."""

import pytest

from meshkit.kafka.topics import TopicSpec, losses, topic_config

SPEC = TopicSpec("orders", retention_ms=1000)
KEPT = {"retention.ms": "1000"}


@pytest.mark.parametrize("brokers", [3, 4, 9])
@pytest.mark.parametrize("config", [KEPT, KEPT | {"min.insync.replicas": "1"}])
def test_three_brokers_that_acknowledge_one_copy_are_named(brokers: int, config: dict[str, str]) -> None:
    assert losses(SPEC, config, brokers) == [
        f"min.insync.replicas is 1, must be 2 at least with {brokers} brokers",
    ]


@pytest.mark.parametrize(("brokers", "in_sync"), [(1, "1"), (2, "1"), (3, "2"), (3, "3")])
def test_what_a_cluster_of_its_size_can_promise_passes(brokers: int, in_sync: str) -> None:
    assert losses(SPEC, KEPT | {"min.insync.replicas": in_sync}, brokers) == []


@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_a_topic_that_was_made_is_not_refused_at_the_next_start(replicas: int) -> None:
    assert losses(SPEC, topic_config(SPEC, replicas), replicas) == []
