"""A policy file is refused with every line that is wrong, and with nothing else."""

import pytest

from governor.settings import SHIPPED_POLICY
from governor.tier import Signal, Tier
from governor.tier_policy import PolicyRefused, load_policy, parse_policy
from kernel.features import features
from tests.unit.governor.policies import FEATURES, TEXT, policy


def refused(text: str) -> list[str]:
    with pytest.raises(PolicyRefused) as raised:
        parse_policy(text, "p.yaml", FEATURES)
    return str(raised.value).splitlines()


def test_the_shipped_policy_is_good_and_switches_every_feature_off_in_the_files_order() -> None:
    shipped = load_policy(SHIPPED_POLICY, features())
    assert shipped.off_in(Tier.SURVIVAL) == tuple(features())
    assert shipped.off_in(Tier.NORMAL) == ()
    assert set(shipped.rules[Tier.BUSY].enter) == set(Signal)


def test_a_good_policy_is_read_as_it_is_written() -> None:
    read = policy()
    assert (read.name, read.window_seconds, read.jump) == ("p.yaml", 5, False)
    assert read.rules[Tier.NORMAL].hold_seconds == 4
    busy = read.rules[Tier.BUSY]
    assert (busy.hold_seconds, busy.enter_seconds, busy.calm_seconds) == (6, 0, 2)
    assert busy.enter == {Signal.ACCEPT_RATE: 100, Signal.KAFKA_LAG: 1000}
    assert busy.exit == {Signal.ACCEPT_RATE: 60, Signal.KAFKA_LAG: 300}
    assert read.off_in(Tier.PEAK) == ("purchase-history", "seller-analytics", "recommendations")
    assert policy(TEXT.replace("rise: step", "rise: jump")).jump


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("hold_seconds: 6", "hold_seconds: soon", "7: hold_seconds must be a number from 1 to 3600"),
        ("hold_seconds: 6", "hold_seconds: 0", "7: hold_seconds must be a number from 1 to 3600"),
        ("hold_seconds: 6", "hold_seconds: .inf", "7: hold_seconds must be a number from 1 to 3600"),
        ("hold_seconds: 6", "hold_seconds: true", "7: hold_seconds must be a number from 1 to 3600"),
        ("hold_seconds: 6", "hold_seconds: [6]", "7: hold_seconds must be a number from 1 to 3600"),
        ("window_seconds: 5", "window_seconds: 0.1", "1: window_seconds must be a number from 1 to 60"),
        ("rise: step", "rise: leap", "2: rise must be one of step, jump"),
        ("rise: step", "rise: {}", "2: rise must be one of step, jump"),
        ("rise: step", "? []\n: step", "2: the policy has no a sequence; it takes rise, tiers, window_seconds"),
        ("accept_rate: 60,", "accept_rate: 100,", "11: accept_rate must be under 100, at which BUSY is entered"),
        ("accept_rate: 60,", "", "11: BUSY is entered by accept_rate: its exit must name it too"),
        ("accept_rate: 100,", "", "11: BUSY is not entered by accept_rate"),
        (
            "accept_rate: 200,",
            "accept_rate: 100,",
            "17: accept_rate must be over 100, at which a lower tier is entered",
        ),
        ("accept_rate: 100,", "accept_rate: 0,", "10: accept_rate must be a number over 0"),
        ("in_flight: 50", "inflight: 50", "17: PEAK.enter has no inflight; it takes"),
        ("off: [avatar-updates]", "off: [checkout]", "26: no such feature: checkout; there are purchase-history"),
        ("off: [avatar-updates]", "off: [[]]", "26: no such feature: a sequence"),
        ("off: [avatar-updates]", "off: all", "26: off must be a list of features"),
        (
            "off: [avatar-updates]",
            "off: [purchase-history]",
            "26: purchase-history is switched off already, in line 12",
        ),
        ("    calm_seconds: 0\n", "", "21: SURVIVAL lacks calm_seconds"),
        ("    hold_seconds: 4", "    off: []", "5: NORMAL has no off; it takes hold_seconds"),
        ("  PEAK:", "  PEEK:", "13: tiers has no PEEK; it takes BUSY, NORMAL, PEAK, SURVIVAL"),
        ("    hold_seconds: 6", "    hold_seconds: 6\n    hold_seconds: 7", "8: hold_seconds is given twice"),
        ("    hold_seconds: 6", "    hold_seconds: {", "9: not YAML"),
        ("rise: step", "rise: step\n\x00", "3: not YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, told: str) -> None:
    assert TEXT.count(old) >= 1
    lines = refused(TEXT.replace(old, new, 1))
    assert any(line.startswith(f"p.yaml:{told}") for line in lines), lines


def test_all_that_is_wrong_is_told_at_once_by_line() -> None:
    broken = TEXT.replace("rise: step", "rise: up").replace("accept_rate: 60", "accept_rate: 600", 1)
    broken = broken.replace("[avatar-updates]", "[avatars]")
    assert [line.split(":")[1] for line in refused(broken)] == ["2", "11", "26"]


@pytest.mark.parametrize(
    ("text", "line"), [("", "1"), ("# nothing\n", "1"), ("[]", "1"), ("tiers: 3", "1"), ("&a [*a]", "1")]
)
def test_what_is_no_policy_at_all_is_refused(text: str, line: str) -> None:
    assert refused(text)[0].startswith(f"p.yaml:{line}: ")


def test_tiers_out_of_order_are_refused() -> None:
    head, busy, rest = TEXT.partition("  BUSY:")
    peak, survival = (busy + rest).split("  SURVIVAL:")
    assert any("order NORMAL, BUSY, PEAK, SURVIVAL" in line for line in refused(f"{head}  SURVIVAL:{survival}{peak}"))
