"""`python -m governor.check_policy FILE`: what is wrong with a policy, and what it would do under given signals.

Reads nothing but the file: to be run before a policy is rolled out. Exit status 1: refused.
"""

import argparse
import json
import sys
from pathlib import Path

from governor.tier import Policy, Reading, Readings, Signal, Tier
from governor.tier_machine import TierMachine
from governor.tier_policy import PolicyRefused, load_policy
from kernel.features import features


def would(policy: Policy, tier: Tier, readings: Readings) -> list[str]:
    """From `tier`, if these readings stayed: each move with the second in which it comes, then where it rests."""
    machine, told = TierMachine(policy, tier), list[str]()
    longest = max(sum((rule.hold_seconds, rule.enter_seconds, rule.calm_seconds)) for rule in policy.rules.values())
    for second in range(int(longest + 1) * len(Tier)):
        decision = machine.step(float(second), readings)
        if decision.tier is decision.before:
            continue
        before, after = policy.off_in(decision.before), policy.off_in(decision.tier)
        off = [name for name in after if name not in before]
        back = [name for name in reversed(before) if name not in after]
        words = "".join(f"; {what} {', '.join(names)}" for what, names in (("off:", off), ("back:", back)) if names)
        told.append(f"after {second} s: {decision.why}{words}")
    return [*told, f"rests in {machine.tier.name}: {decision.why}"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m governor.check_policy", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--tier", default="NORMAL", choices=[tier.name for tier in Tier])
    parser.add_argument(
        "--signals", type=json.loads, help='as JSON: {"accept_rate": 900, "kafka_lag": null}; null: unknown'
    )
    arguments = parser.parse_args()
    try:
        policy = load_policy(arguments.file, features())
    except (PolicyRefused, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    moves: list[str] = []
    if arguments.signals is not None:
        readings = {signal: Reading(arguments.signals.get(signal.value)) for signal in Signal}
        moves = would(policy, Tier[arguments.tier], readings)
    print(json.dumps({"policy": policy.name, "off": {tier.name: policy.off_in(tier) for tier in Tier}, "would": moves}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
