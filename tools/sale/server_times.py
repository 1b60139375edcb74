"""How long checkout itself took, from its own histogram: the difference of two readings over a sale."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from meshkit.http import fetch
from meshkit.settings import ProcessSettings

_HISTOGRAM, _METHOD = "grpc_server_handling_seconds", "PlaceOrder"
# Upper bound in seconds → calls at or below it, over all processes.
Buckets = Mapping[float, float]


async def read_buckets(settings: ProcessSettings) -> Buckets:
    """Of both checkout processes. One that does not answer counts nothing: it may be restarting."""
    ports = [settings.ports[f"checkout_{index}_metrics"] for index in (0, 1)]
    asked = [asyncio.to_thread(fetch, port, "/metrics") for port in ports]
    pages = await asyncio.gather(*asked, return_exceptions=True)
    total: Counter[float] = Counter()
    for page in pages:
        if isinstance(page, str):
            total.update(_buckets(page))
    return total


def _buckets(page: str) -> dict[float, float]:
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(page)
        if family.name == _HISTOGRAM
        for sample in family.samples
        if sample.name.endswith("_bucket") and sample.labels["grpc_method"] == _METHOD
    }


def quantiles_ms(before: Buckets, after: Buckets, names: Mapping[str, float]) -> dict[str, float | None]:
    """The upper bound of the bucket each quantile falls into, in ms; None without calls, or above the last bound."""
    counted = [(bound, after[bound] - before.get(bound, 0.0)) for bound in sorted(after)]
    return {name: _quantile_ms(counted, share) for name, share in names.items()}


def _quantile_ms(counted: Sequence[tuple[float, float]], share: float) -> float | None:
    calls = counted[-1][1] if counted else 0.0
    if calls <= 0:
        return None
    bound = next(bound for bound, below in counted if below >= share * calls)
    return round(bound * 1000, 2) if bound != float("inf") else None
