"""The picture of a run: each call's latency above, breakers below it, then toggles and tier where the mesh has them."""

from pathlib import Path
from typing import IO

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from tools.chaos.timeline import Timeline
from tools.chaos.watch import BREAKER_STATE, BREAKERS, EJECTED, ENVOY, GOVERNOR, KNOWS_FEATURES, TIER, TOGGLES

INK, FAILED, FAULT = "#22303c", "#c2361b", "#fbe9e4"
OUTCOMES = ("#1b7f79", "#e4a02e", "#3d5a80", "#8a9a2b", "#7a5195")
Line = tuple[str, list[float], list[float]]


def draw(timeline: Timeline, title: str, to: Path | IO[bytes]) -> None:
    """Writes a PNG. Blocks for about a second."""
    plt.rcParams.update({"font.size": 11, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#9aa7b2"})
    governed = [part for part in (tier_lines(timeline), toggle_lines(timeline)) if part]
    rows = 2 + len(governed)
    heights = [4, *[1.5] * (rows - 1)]
    figure, axes = plt.subplots(rows, 1, sharex=True, figsize=(12.8, 4.5 + 1.8 * rows), height_ratios=heights)
    _draw_calls(axes[0], timeline)
    axes[0].set_title(title, loc="left", fontsize=12, fontweight="bold", pad=34)
    _draw_steps(axes[1], breaker_lines(timeline))
    axes[1].set_yticks([0, 1, 2], ["closed", "half open", "open"])
    for part, place in zip(governed, axes[2:], strict=True):
        _draw_steps(place, part)
    for each in axes:
        each.axvspan(timeline.fault_began, timeline.fault_over, color=FAULT, zorder=0)
        each.grid(axis="y", color="#e6ebef")
        each.set_axisbelow(True)
        each.set_xlim(0, max(1.0, timeline.ended))
        each.spines[["top", "right"]].set_visible(False)
        each.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.01, 0.99), ncols=6, fontsize=10)
    axes[-1].set_xlabel("seconds; shaded: the fault")
    figure.tight_layout()
    figure.savefig(to, dpi=110, format="png")
    plt.close(figure)


def _draw_calls(axes: Axes, timeline: Timeline) -> None:
    kinds = sorted({(each.call, each.outcome, each.ok) for each in timeline.calls})
    for number, (call, outcome, ok) in enumerate(kinds):
        found = [each for each in timeline.calls if (each.call, each.outcome) == (call, outcome)]
        color = OUTCOMES[number % len(OUTCOMES)] if ok else FAILED
        at, ms = [each.at for each in found], [each.ms for each in found]
        axes.scatter(at, ms, s=9, color=color, marker="o" if ok else "x", label=f"{call}: {outcome} ({len(found)})")
    axes.set_yscale("log")
    axes.set_ylabel("ms")


def _draw_steps(axes: Axes, lines: list[Line]) -> None:
    for name, at, values in lines:
        axes.step(at, values, where="post", lw=1.6, label=name)


def breaker_lines(timeline: Timeline) -> list[Line]:
    """Each process's breaker, and Envoy's of each target that it ejected; open is 2 for both."""
    lines: list[Line] = []
    for breaker, processes in BREAKERS.items():
        for process in processes:
            held = timeline.readings.get(process, [])
            states = [each.total(BREAKER_STATE, breaker=breaker) for each in held]
            lines.append((f"{breaker} in {process}", [each.at for each in held], states))
    held = timeline.readings.get(ENVOY, [])
    for target in label_values(timeline, ENVOY, EJECTED, "envoy_cluster_name"):
        ejected = [2 * each.total(EJECTED, envoy_cluster_name=target) for each in held]
        if any(ejected):
            lines.append((f"Envoy: {target}", [each.at for each in held], ejected))
    return lines


def tier_lines(timeline: Timeline) -> list[Line]:
    held = [each for each in timeline.readings.get(GOVERNOR, []) if each.has(TIER)]
    return [("tier", [each.at for each in held], [each.total(TIER) for each in held])] if held else []


def toggle_lines(timeline: Timeline) -> list[Line]:
    """On is 1, each a little above the last, so that none hides another."""
    held = [each for each in timeline.readings.get(KNOWS_FEATURES, []) if each.has(TOGGLES)]
    names = label_values(timeline, KNOWS_FEATURES, TOGGLES, "feature")
    return [
        (name, [each.at for each in held], [each.total(TOGGLES, feature=name) + 0.05 * number for each in held])
        for number, name in enumerate(names)
    ]


def label_values(timeline: Timeline, source: str, name: str, label: str) -> list[str]:
    values = {
        dict(labels)[label]
        for each in timeline.readings.get(source, [])
        for found, labels in each.values
        if found == name and label in dict(labels)
    }
    return sorted(values)
