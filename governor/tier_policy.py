"""A policy file read and judged: all that is wrong with it at once, each with its line."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from governor.tier import Policy, Rule, Signal, Tier

_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
# Shorter than a tick it would hold nothing; a day is a slip of the keyboard.
SHORTEST_HOLD, LONGEST = 1.0, 3600.0
RISES = {"step": False, "jump": True}


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """`line` counts from 1."""

    line: int
    words: str


class PolicyRefused(Exception):
    """The message has a line `FILE:LINE: words` for each problem."""

    def __init__(self, name: str, problems: Collection[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(f"{name}:{each.line}: {each.words}" for each in self.problems))


def load_policy(path: Path, features: Collection[str]) -> Policy:
    """Raises PolicyRefused; OSError where there is no such file."""
    return parse_policy(path.read_text("utf-8", errors="replace"), path.name, features)


def parse_policy(text: str, name: str, features: Collection[str]) -> Policy:
    """`features`: those that may be switched off. Raises PolicyRefused."""
    reader = _Reader(features)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise PolicyRefused(name, [_syntax(error, text)]) from None
    policy = reader.policy(name, root) if root is not None else None
    if root is None:
        reader.problems.append(Problem(1, "the file is empty"))
    if reader.problems or policy is None:
        raise PolicyRefused(name, reader.problems)
    return policy


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    mark: Any = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    words = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    place = getattr(error, "position", 0)
    line = mark.line if mark is not None else text.count("\n", 0, place if isinstance(place, int) else 0)
    return Problem(line + 1, f"not YAML: {words}")


class _Reader:
    """Walks the document; what is wrong is noted and replaced by something harmless, so that the rest is judged too."""

    def __init__(self, features: Collection[str]) -> None:
        self._features, self._seen = features, dict[str, int]()
        self.problems: list[Problem] = []

    def policy(self, name: str, root: Node) -> Policy:
        parts = self._mapping(root, "the policy", {"window_seconds", "rise", "tiers"})
        window = self._number(parts, "window_seconds", root, 1.0, 60.0)
        rise = parts.get("rise")
        if rise is not None and _text(rise) not in RISES:
            self._note(rise, f"rise must be one of {', '.join(RISES)}")
        jump = rise is not None and RISES.get(_text(rise), False)
        rules = self._rules(parts["tiers"]) if "tiers" in parts else {}
        return Policy(name, window, jump, rules)

    def _rules(self, node: Node) -> Mapping[Tier, Rule]:
        parts = self._mapping(node, "tiers", {tier.name for tier in Tier})
        given = [name for name in parts if name in Tier.__members__]
        if given != [tier.name for tier in Tier if tier.name in given]:
            self._note(node, f"tiers must stand in the order {', '.join(tier.name for tier in Tier)}")
        rules: dict[Tier, Rule] = {}
        highest: dict[Signal, float] = {}
        for name in given:
            tier = Tier[name]
            rules[tier] = self._rule(parts[name], tier, highest)
        return rules

    def _rule(self, node: Node, tier: Tier, highest: dict[Signal, float]) -> Rule:
        """`highest`: what the tiers below are entered at; grows."""
        wanted = {"hold_seconds"}
        if tier is not Tier.NORMAL:
            wanted |= {"enter_seconds", "calm_seconds", "enter", "exit", "off"}
        parts = self._mapping(node, tier.name, wanted)
        hold = self._number(parts, "hold_seconds", node, SHORTEST_HOLD, LONGEST)
        if tier is Tier.NORMAL:
            return Rule(hold)
        enter, leave = self._thresholds(parts, "enter", tier), self._thresholds(parts, "exit", tier)
        self._compare(parts, enter, leave, tier, highest)
        return Rule(
            hold,
            self._number(parts, "enter_seconds", node, 0, LONGEST),
            self._number(parts, "calm_seconds", node, 0, LONGEST),
            {signal: value for signal, (value, _) in enter.items()},
            {signal: value for signal, (value, _) in leave.items()},
            self._off(parts["off"]) if "off" in parts else (),
        )

    def _thresholds(self, parts: Mapping[str, Node], key: str, tier: Tier) -> dict[Signal, tuple[float, Node]]:
        if key not in parts:
            return {}
        what, node = f"{tier.name}.{key}", parts[key]
        found = self._mapping(node, what, set(Signal), all_needed=False)
        if not found:
            self._note(node, f"{what} must name a signal at least")
        return {
            Signal(name): (self._number(found, name, node, 0, math.inf, above=True), value)
            for name, value in found.items()
            if name in set(Signal)
        }

    def _compare(
        self,
        parts: Mapping[str, Node],
        enter: Mapping[Signal, tuple[float, Node]],
        leave: Mapping[Signal, tuple[float, Node]],
        tier: Tier,
        highest: dict[Signal, float],
    ) -> None:
        for signal, (value, node) in enter.items():
            if signal not in leave and "exit" in parts:
                self._note(parts["exit"], f"{tier.name} is entered by {signal}: its exit must name it too")
            if value <= highest.get(signal, 0) and value > 0:
                self._note(node, f"{signal} must be over {highest[signal]:g}, at which a lower tier is entered")
            highest[signal] = max(value, highest.get(signal, 0))
        for signal, (value, node) in leave.items():
            if signal not in enter:
                self._note(node, f"{tier.name} is not entered by {signal}")
            elif value >= enter[signal][0]:
                self._note(node, f"{signal} must be under {enter[signal][0]:g}, at which {tier.name} is entered")

    def _off(self, node: Node) -> tuple[str, ...]:
        if not isinstance(node, SequenceNode):
            self._note(node, "off must be a list of features")
            return ()
        for each in node.value:
            name = _text(each)
            if name not in self._features:
                self._note(each, f"no such feature: {name}; there are {', '.join(self._features)}")
            elif name in self._seen:
                self._note(each, f"{name} is switched off already, in line {self._seen[name]}")
            else:
                self._seen[name] = _line(each)
        return tuple(_text(each) for each in node.value)

    def _mapping(self, node: Node, what: str, wanted: Collection[str], *, all_needed: bool = True) -> dict[str, Node]:
        if not isinstance(node, MappingNode):
            self._note(node, f"{what} must be a mapping")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = _text(key)
            if name not in wanted:
                self._note(key, f"{what} has no {name}; it takes {', '.join(sorted(wanted))}")
            elif name in found:
                self._note(key, f"{name} is given twice")
            else:
                found[name] = value
        missing = [name for name in sorted(wanted) if name not in found]
        if missing and all_needed:
            self._note(node, f"{what} lacks {', '.join(missing)}")
        return found

    def _number(
        self, parts: Mapping[str, Node], key: str, parent: Node, low: float, high: float, *, above: bool = False
    ) -> float:
        """`above`: `low` itself is too low. What is missing was noted by `_mapping`."""
        node = parts.get(key, parent)
        if key not in parts:
            return low
        value = math.nan
        if isinstance(node, ScalarNode) and node.tag in _NUMBERS:
            try:
                value = float(node.value)
            except ValueError:  # .inf, 0x10, 1:30
                value = math.nan
        if not math.isfinite(value) or not low <= value <= high or (above and value <= low):
            limits = f"over {low:g}" if above else f"from {low:g} to {high:g}"
            self._note(node, f"{key} must be a number {limits}")
            return low
        return value

    def _note(self, node: Node, words: str) -> None:
        self.problems.append(Problem(_line(node), words))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _text(node: Node) -> str:
    """Of a list or a mapping: what it is, for the message."""
    return str(node.value) if isinstance(node, ScalarNode) else f"a {getattr(node, 'id', 'node')}"
