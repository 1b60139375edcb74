"""Reads the metrics pages that a scenario is judged and drawn by, ten times a second."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from urllib.parse import urlencode

from prometheus_client.parser import text_string_to_metric_families

from meshkit.http import fetch
from meshkit.ports import INSTANCES, Ports, nth
from tools.chaos.timeline import Timeline, reading

EVERY_SECONDS = 0.1
TIMEOUT_SECONDS = 1.0
BREAKER_STATE = "peakmesh_breaker_state"
BREAKER_TRANSITIONS = "peakmesh_breaker_transitions_total"
BREAKER_CALLS = "peakmesh_breaker_calls_total"
# Breaker → the processes that have one of that name, as their metrics ports are called.
BREAKERS: Mapping[str, tuple[str, ...]] = {"promotions": ("checkout_0", "checkout_1")}
ENVOY = "envoy"
EJECTED = "envoy_cluster_outlier_detection_ejections_active"
EJECTIONS = "envoy_cluster_outlier_detection_ejections_enforced_total"
# Drawn: the tier as any governor tells it, and each feature as a process that outlives them knows it.
GOVERNORS, KNOWS_FEATURES = tuple(nth("governor", instance) for instance in INSTANCES), "checkout_0"
TIER = "peakmesh_governor_tier"
TOGGLES = "peakmesh_feature_on"


def pages(ports: Ports) -> dict[str, tuple[int, str]]:
    """Source → port and path of its page; asked for these names alone, so that it costs its process next to nothing."""
    ours = urlencode([("name[]", each) for each in (BREAKER_STATE, BREAKER_TRANSITIONS, BREAKER_CALLS, TOGGLES)])
    found = {
        process: (ports[f"{process}_metrics"], f"/metrics?{ours}")
        for processes in BREAKERS.values()
        for process in processes
    }
    for governor in GOVERNORS:
        found[governor] = (ports[f"{governor}_metrics"], f"/metrics?{urlencode([('name[]', TIER)])}")
    ejections = urlencode({"filter": r"^cluster\.[a-z_]+\.outlier_detection\.ejections_(active|enforced_total)$"})
    return found | {ENVOY: (ports["admin"], f"/stats/prometheus?{ejections}")}


async def watch(timeline: Timeline, ports: Ports, clock: Callable[[], float]) -> None:
    """Until cancelled. A page that does not answer is a gap in its line, and holds up no other."""
    async with asyncio.TaskGroup() as group:
        for source, (port, path) in pages(ports).items():
            group.create_task(_follow(timeline, source, port, path, clock))


def at_rest(timeline: Timeline) -> bool:
    """Whether, as last read, each breaker is closed and Envoy ejects nobody."""
    last = {source: held[-1] for source, held in timeline.readings.items() if held}
    processes = [process for processes in BREAKERS.values() for process in processes]
    if not {ENVOY, *processes} <= set(last):
        return False
    return last[ENVOY].total(EJECTED) == 0 and not any(last[process].total(BREAKER_STATE) for process in processes)


async def _follow(timeline: Timeline, source: str, port: int, path: str, clock: Callable[[], float]) -> None:
    held = timeline.readings.setdefault(source, [])
    while True:
        began = time.monotonic()
        with suppress(OSError):
            page = await asyncio.to_thread(fetch, port, path, timeout=TIMEOUT_SECONDS)
            held.append(reading(clock(), text_string_to_metric_families(page)))
        await asyncio.sleep(max(0.0, EVERY_SECONDS - (time.monotonic() - began)))
