"""matplotlib for those who draw: imported above, it would be a quarter of what every command takes to start."""

from typing import Any


def pyplot() -> Any:
    """For files alone: no window, no display."""
    import matplotlib as mpl  # noqa: PLC0415

    mpl.use("Agg")
    from matplotlib import pyplot as found  # noqa: PLC0415

    return found
