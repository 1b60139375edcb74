"""The picture of a run: what was done, each call's latency, and below them breakers, tier and features as lanes."""

import textwrap
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING

from tools.chaos.lanes import Lane, lanes
from tools.chaos.timeline import Timeline
from tools.pyplot import pyplot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, GRID, FAULT = "#22303c", "#5d6b77", "#e6ebef", "#fbe9e4"
GOOD, FAILED = "#1b7f79", "#c2361b"
# Good answers that are not the best one.
SECOND_BEST: Mapping[str, str] = {"UNAVAILABLE": "#e4a02e", "PENDING": "#3d5a80", "REFUSED": "#7a5195"}
# From harmless to grave, whatever the lane is of.
STATES: Mapping[str, str] = {
    **dict.fromkeys(("closed", "on", "NORMAL"), "#cfe5e3"),
    **dict.fromkeys(("half open", "BUSY"), "#e4a02e"),
    "PEAK": "#d9703f",
    **dict.fromkeys(("open", "off", "SURVIVAL"), "#c2361b"),
}
WIDTH, CALLS_HEIGHT, LANE_HEIGHT, TITLE_HEIGHT = 12.8, 1.55, 0.3, 0.55


def draw(timeline: Timeline, title: str, says: str, to: Path | IO[bytes]) -> None:
    """Writes a PNG. Blocks for about a second."""
    plt = pyplot()
    plt.rcParams.update({"font.size": 10, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#9aa7b2"})
    calls = sorted({each.call for each in timeline.calls})
    states = lanes(timeline)
    words = textwrap.wrap(says, 140)
    lanes_heights = [TITLE_HEIGHT + LANE_HEIGHT * max(1, len(each)) for each in states.values()]
    heights = [0.12 + 0.2 * len(words), *[CALLS_HEIGHT] * len(calls), *lanes_heights]
    figure, axes = plt.subplots(
        len(heights), 1, sharex=True, squeeze=False, height_ratios=heights,
        figsize=(WIDTH, sum(heights) + 1.6), layout="constrained",
    )  # fmt: skip
    figure.suptitle(title, x=0.01, ha="left", fontsize=15, fontweight="bold")
    head, *places = axes[:, 0]
    head.axis("off")
    told = head.text(0, 0, "\n".join(words), transform=head.transAxes, fontsize=10.5, color=SOFT, va="bottom")
    told.set_in_layout(False)  # a long line would make all panels narrower
    for call, place in zip(calls, places, strict=False):
        _draw_calls(place, timeline, call)
    for (name, held), place in zip(states.items(), places[len(calls) :], strict=True):
        _draw_lanes(place, name, held)
    for each in places:
        _frame(each, timeline)
    places[-1].set_xlabel("seconds since the load began; shaded: the fault")
    figure.savefig(to, dpi=110, format="png")
    plt.close(figure)


def _frame(axes: "Axes", timeline: Timeline) -> None:
    if timeline.done:
        axes.axvspan(timeline.fault_began, timeline.fault_over, color=FAULT, zorder=0, lw=0)
    axes.set_axisbelow(True)
    axes.set_xlim(0, max(1.0, timeline.ended))
    axes.spines[["top", "right"]].set_visible(False)


def _draw_calls(axes: "Axes", timeline: Timeline, call: str) -> None:
    """One dot a call; what failed is a red cross."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: PLC0415

    found = [each for each in timeline.calls if each.call == call]
    kinds = Counter((each.ok, each.outcome) for each in found)
    for (ok, outcome), count in sorted(kinds.items(), key=lambda kind: (not kind[0][0], kind[0][1])):
        told = [each for each in found if (each.ok, each.outcome) == (ok, outcome)]
        at, ms = [each.at for each in told], [each.ms for each in told]
        color = SECOND_BEST.get(outcome, GOOD) if ok else FAILED
        axes.scatter(at, ms, s=7, color=color, marker="o" if ok else "x", lw=0.8, label=f"{outcome} {count}")
    axes.set_yscale("log")
    axes.set_ylabel("ms")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", color=GRID)
    _head(axes, call)
    axes.legend(
        frameon=False, loc="lower right", bbox_to_anchor=(1.01, 0.97), ncols=8, fontsize=9, markerscale=2,
        handletextpad=0.1, columnspacing=1.2, borderpad=0,
    )  # fmt: skip


def _draw_lanes(axes: "Axes", name: str, held: list[Lane]) -> None:
    """One bar a lane, the first on top; the colours that came up are told above."""
    from matplotlib.patches import Patch  # noqa: PLC0415

    for number, lane in enumerate(held):
        for span in lane.spans:
            axes.barh(-number, span.end - span.start, 0.62, span.start, color=STATES[span.state])
    axes.set_ylim(-max(1, len(held)) + 0.4, 0.6)
    axes.set_yticks([-number for number in range(len(held))], [lane.name for lane in held], fontsize=9)
    axes.tick_params(axis="y", length=0)
    _head(axes, name)
    came = {span.state for lane in held for span in lane.spans}
    patches = [Patch(color=STATES[state], label=state) for state in STATES if state in came]
    axes.legend(
        handles=patches, frameon=False, loc="lower right", bbox_to_anchor=(1.01, 0.97), ncols=4, fontsize=9,
        handlelength=1.2, handletextpad=0.5, columnspacing=1.2, borderpad=0,
    )  # fmt: skip


def _head(axes: "Axes", words: str) -> None:
    axes.set_title(words, loc="left", fontsize=10.5, fontweight="bold", pad=5)
