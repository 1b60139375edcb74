"""What a policy would do under signals that stay."""

from governor.check_policy import would
from governor.tier import Tier
from tests.unit.governor.policies import policy, pressed


def test_each_move_is_told_with_its_second_and_its_features() -> None:
    assert would(policy(), Tier.NORMAL, pressed(accept_rate=210)) == [
        "after 0 s: NORMAL → BUSY: accept_rate 210 ≥ 100; off: purchase-history",
        "after 6 s: BUSY → PEAK: accept_rate 210 ≥ 200; off: seller-analytics, recommendations",
        "rests in PEAK: stays PEAK: accept_rate 210, not below 150",
    ]


def test_on_the_way_down_features_come_back_in_reverse() -> None:
    told = would(policy(), Tier.PEAK, pressed())
    assert [line.partition("; ")[2] for line in told[:2]] == [
        "back: recommendations, seller-analytics",
        "back: purchase-history",
    ]
    assert told[-1].startswith("rests in NORMAL")
