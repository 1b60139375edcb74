"""Nobody who may be behind goes unasked, and nothing is read twice."""

from kernel.topics import GROUPS, PAYMENTS_RESULTS, PROMO_SVC
from tools.audit.read_kafka import DEAD, READ_TOPICS


def test_a_topic_that_two_groups_read_is_read_once() -> None:
    assert GROUPS[PROMO_SVC] == PAYMENTS_RESULTS
    assert len(READ_TOPICS) == len(set(READ_TOPICS)) == len(DEAD)
    assert set(READ_TOPICS) == set(GROUPS.values())
