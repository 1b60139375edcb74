"""What was slow in a sale, and why: sentences that follow from the verdict's own figures."""

from collections.abc import Iterator, Mapping
from typing import Any

# Two figures of one run are told apart from here on; below it the machine's noise decides.
CLEARLY = 0.5


def what_was_slow(verdict: Mapping[str, Any]) -> list[str]:
    return [*_answers(verdict), *_drain(verdict), *_settling(verdict)]


def _answers(verdict: Mapping[str, Any]) -> Iterator[str]:
    """p99s do not add up, so shares are told only where they are clear."""
    total, late = verdict["latency_ms"]["accepted"]["p99"], verdict["late_send_ms"]["p99"]
    inside = verdict["stages_ms"]["checkout"]["p99"]
    if not total:
        return
    yield f"Of 100 accepted taps 99 were answered within {total:.0f} ms of the moment they were due."
    if late is not None and late > CLEARLY * total:
        yield (
            f"The load generator itself was up to {late:.0f} ms late: the crowd ran on the same cores, and a real one"
            " would have been answered sooner."
        )
    if inside is None:
        yield "How long checkout took by its own histogram is not known: a process was restarted during the sale."
    elif inside > CLEARLY * total:
        yield f"Most of it was checkout itself (p99 at most {inside:.0f} ms): one Redis script, then Kafka's ack."
    else:
        yield f"Checkout itself took {inside:.0f} ms at most (p99); the rest is waiting in Envoy, and for a core."


def _drain(verdict: Mapping[str, Any]) -> Iterator[str]:
    pace, rate = verdict["asked"]["drain_rate"], verdict["drain_rate"]
    queue = verdict["stages_ms"]["queue"]["p50"]
    if queue is None:
        return
    if rate > 0.85 * pace:
        yield f"The database wrote {rate:.0f} orders a second, since {pace:.0f} were asked for: its pace is a setting."
    else:
        yield f"The database wrote {rate:.0f} orders a second where {pace:.0f} were asked for: it was the bottleneck."
    yield f"Half of the orders waited {queue / 1000:.1f} s in Kafka for their turn."


def _settling(verdict: Mapping[str, Any]) -> Iterator[str]:
    settle = verdict["stages_ms"]["settle"]
    if settle["p50"] is None:
        return
    half, most = settle["p50"] / 1000, settle["p99"] / 1000
    yield f"From row to paid and booked: half within {half:.1f} s, 99 of 100 within {most:.1f} s."
    if settle["p50"] > verdict["stages_ms"]["queue"]["p50"]:
        yield "Orders waited longer for the payment side than in the queue: payment_worker or a provider sets the pace."
