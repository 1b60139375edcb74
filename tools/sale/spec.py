"""What a load generator process is told, as one JSON file."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Buyer:
    """`at`: seconds after the start at which this buyer taps; the zero of the latency."""

    user: str
    token: str
    request_id: str
    at: float
    voucher: str = ""


@dataclass(frozen=True)
class LoadSpec:
    """`start`: Unix seconds of the first tap. `concurrency` 0: open loop by the buyers' times; else a closed loop of
    so many workers for `seconds`. `reached_within`: seconds until its connections must stand."""

    target: str
    sale_id: str
    sku: str
    price_version: int
    start: float
    history: str
    buyers: list[Buyer]
    concurrency: int = 0
    seconds: float = 0.0
    reached_within: float = 10.0

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)))
        path.chmod(0o600)  # it holds tokens

    @classmethod
    def read(cls, path: Path) -> "LoadSpec":
        given = json.loads(path.read_text())
        return cls(**{**given, "buyers": [Buyer(**each) for each in given["buyers"]]})
