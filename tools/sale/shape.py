"""What a sale run is asked for."""

from dataclasses import dataclass

from tools.sale.schedule import Curve

DEFAULT_UNITS, DEFAULT_BUYERS = 2_000, 10_000
# Slower than the crowd on purpose: three quarters of the units wait in Kafka at the peak that the database never sees.
DRAIN_SHARE = 0.2


@dataclass(frozen=True)
class Shape:
    """`rate`: taps a second at the peak, None: a share of what a calibration finds. `drain_rate`: orders a second into
    the database, None: DRAIN_SHARE of the rate. `vouchers`: share of buyers with one.

    Raises ValueError naming the option that is out of range.
    """

    units: int = DEFAULT_UNITS
    buyers: int = DEFAULT_BUYERS
    rate: float | None = None
    processes: int = 2
    drain_rate: float | None = None
    vouchers: float = 0.0
    sku: str = ""
    seed: int = 1
    curve: Curve = Curve.SURGE

    def __post_init__(self) -> None:
        checks = {
            "units": 1 <= self.units <= 1_000_000,
            "buyers": 1 <= self.buyers <= 1_000_000,
            "rate": self.rate is None or 0 < self.rate <= 100_000,
            "processes": 1 <= self.processes <= 16,
            "drain-rate": self.drain_rate is None or 0 < self.drain_rate <= 1_000_000,
            "vouchers": 0 <= self.vouchers <= 1,
        }
        wrong = [f"--{name} is out of range" for name, good in checks.items() if not good]
        if wrong:
            raise ValueError("; ".join(wrong))
