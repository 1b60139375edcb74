"""The picture of a sale: the crowd's peak above, the database's flat line below, the backlog between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tools.pyplot import pyplot
from tools.sale.watch import Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, CROWD, ACCEPTED, ROWS, PAID, BACKLOG = "#22303c", "#cfd8e0", "#e4572e", "#1b7f79", "#8a9a2b", "#3d5a80"
# By what they stand for, for a page beside the picture.
COLOURS = {"ink": INK, "crowd": CROWD, "accepted": ACCEPTED, "rows": ROWS, "paid": PAID, "backlog": BACKLOG}
WINDOW_SECONDS = 1.0


def rates(samples: Sequence[Sample], of: Callable[[Sample], int]) -> list[float]:
    """Per second over the last WINDOW_SECONDS, at each sample."""
    found, start = [], 0
    for sample in samples:
        while samples[start].at < sample.at - WINDOW_SECONDS:
            start += 1
        span = sample.at - samples[start].at
        found.append((of(sample) - of(samples[start])) / span if span > 0 else 0.0)
    return found


def until_the_last(samples: Sequence[Sample], of: Callable[[Sample], int]) -> Sequence[Sample]:
    """Up to where the rate of a count is 0 for good: a line along the axis would tell nothing."""
    last = next(sample.at for sample in samples if of(sample) == of(samples[-1]))
    end = next((place for place, sample in enumerate(samples) if sample.at > last + WINDOW_SECONDS), len(samples))
    return samples[: end + 1]


@dataclass(frozen=True)
class Format:
    """Inches, at 125 pixels each; `columns` of the legend."""

    width: float
    height: float
    columns: int


WIDE = Format(12.8, 8.0, 4)
# On a phone's 360 pixels the wide one's letters would be 5 pixels high; these are 10.
NARROW = Format(6.2, 7.4, 2)


def draw(samples: Sequence[Sample], verdict: Mapping[str, Any], to: Path | IO[bytes], form: Format = WIDE) -> None:
    """Writes a PNG. `verdict` as in verdict.json."""
    plt = pyplot()
    plt.rcParams.update({"font.size": 12, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#9aa7b2"})
    size = (form.width, form.height)
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=size, height_ratios=(3, 2))
    _draw_rates(upper, samples)
    _draw_backlog(lower, samples)
    if form is WIDE:  # the report says it in its own words
        upper.set_title(_story(verdict), loc="left", fontsize=13, fontweight="bold", pad=34)
    upper.legend(frameon=False, loc="lower left", bbox_to_anchor=(-0.01, 0.995), ncols=form.columns, fontsize=11)
    for axes in (upper, lower):
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.grid(axis="y", color="#e6ebef")
        axes.set_axisbelow(True)
        axes.set_xlim(0, max(1.0, samples[-1].at))
        axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(to, dpi=125, format="png")
    plt.close(figure)


def _story(verdict: Mapping[str, Any]) -> str:
    return (
        f"{verdict['offered']:,} taps, {verdict['units']:,} units, {verdict['accepted']:,} orders accepted;"
        f" the database saw {verdict['drain_rate']:.0f} a second"
    )


def _draw_rates(axes: "Axes", samples: Sequence[Sample]) -> None:
    at = [sample.at for sample in samples]
    taps = rates(samples, lambda s: s.offered)
    axes.fill_between(at, taps, color=CROWD, label="offered: taps on “Buy”")
    _line(axes, samples, lambda s: s.accepted, color=ACCEPTED, lw=2.4, label="accepted: told QUEUED")
    _line(axes, samples, lambda s: s.paid, color=PAID, lw=1.4, ls=(0, (3, 2)), label="paid")
    _line(axes, samples, lambda s: s.persisted, color=ROWS, lw=3.2, label="persisted: rows written")
    axes.set_ylabel("orders a second")
    axes.set_ylim(0, 1.12 * max([1.0, *taps]))
    if samples[-1].sold_out:
        sold_out = next(sample.at for sample in samples if sample.accepted == samples[-1].accepted)
        axes.annotate(
            f"sold out after {sold_out:.0f} s",
            (sold_out, max(taps)),
            xytext=(16, 2),
            textcoords="offset points",
            color=ACCEPTED,
            fontweight="bold",
        )


def _line(axes: "Axes", samples: Sequence[Sample], of: Callable[[Sample], int], **look: Any) -> None:
    shown = until_the_last(samples, of)
    axes.plot([sample.at for sample in shown], rates(shown, of), **look)


def _draw_backlog(axes: "Axes", samples: Sequence[Sample]) -> None:
    axes.fill_between([s.at for s in samples], [s.backlog for s in samples], color=BACKLOG, alpha=0.85)
    axes.set_ylabel("waiting in Kafka")
    axes.set_xlabel("seconds since the sale opened")
    peak = max(samples, key=lambda sample: sample.backlog)
    axes.set_ylim(0, 1.12 * max(1, peak.backlog))
    if peak.backlog:
        axes.annotate(
            f"{peak.backlog:,} orders, {peak.at:.0f} s after the start",
            (peak.at, peak.backlog),
            xytext=(14, -4),
            textcoords="offset points",
            color=BACKLOG,
            fontweight="bold",
        )
