"""The picture of a sale: the crowd's peak above, the database's flat line below, the backlog between them."""

from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from tools.sale.watch import Sample

INK, CROWD, ACCEPTED, ROWS, PAID, BACKLOG = "#22303c", "#c9d3dc", "#e4572e", "#1b7f79", "#7a9e3f", "#3d5a80"
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


def draw(samples: Sequence[Sample], title: str, path: Path) -> None:
    """Writes a PNG of 1600 × 1000 pixels."""
    at = [sample.at for sample in samples]
    plt.rcParams.update({"font.size": 12, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": "#9aa7b2"})
    figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(12.8, 8), height_ratios=(3, 2))
    offered = rates(samples, lambda sample: sample.offered)
    upper.fill_between(at, offered, color=CROWD, label="offered (taps on “Buy”)")
    upper.plot(at, rates(samples, lambda s: s.accepted), color=ACCEPTED, lw=2, label="accepted (answered QUEUED)")
    upper.plot(at, rates(samples, lambda s: s.persisted), color=ROWS, lw=2.5, label="persisted (rows in the database)")
    upper.plot(at, rates(samples, lambda s: s.paid), color=PAID, lw=1.5, ls="--", label="paid")
    upper.set_ylabel("orders a second")
    upper.set_title(title, loc="left", fontsize=14, fontweight="bold")
    lower.fill_between(at, [sample.backlog for sample in samples], color=BACKLOG, alpha=0.85)
    lower.set_ylabel("backlog in Kafka (orders)")
    lower.set_xlabel("seconds since the sale opened")
    for axes in (upper, lower):
        axes.grid(axis="y", color="#e6ebef")
        axes.set_axisbelow(True)
        axes.set_ylim(bottom=0)
        axes.set_xlim(0, max(at))
        axes.spines[["top", "right"]].set_visible(False)
    upper.legend(frameon=False, loc="upper right")
    figure.tight_layout()
    figure.savefig(path, dpi=125)
    plt.close(figure)
