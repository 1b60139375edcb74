"""Bytes that are no order, in a topic of orders: the audit and the trace name them and go on."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from google.protobuf.message import DecodeError

from kernel.topics import ORDERS_CREATED, ORDERS_INTAKE, PAYMENTS_RESULTS, dlq_topic
from peakmesh.event.v1.events_pb2 import AcceptedOrder, CancelledOrder, Fence, OrderIntake
from tests.unit.audit.worlds import facts, log
from tools.audit import run, trace
from tools.audit.check import check
from tools.audit.facts import Log, Published
from tools.audit.invariants import INVARIANTS
from tools.audit.read_kafka import sorted_out
from tools.audit.report import Verdict
from tools.audit.trace_kafka import event_of
from tools.cli.console import ran

GARBAGE = b"\xff\xff\xff"
ORDER = AcceptedOrder(order_id="o1", offer_no=1, request_hash="h1", discount_minor=3)
OTHER = AcceptedOrder(order_id="o2", offer_no=2)


async def records(*values: bytes | None) -> AsyncIterator[Any]:
    for offset, value in enumerate(values):
        yield SimpleNamespace(topic=ORDERS_INTAKE, partition=2, offset=offset, value=value)


async def test_foreign_records_are_named_and_orders_read_around_them() -> None:
    intakes = (OrderIntake(accepted=ORDER), OrderIntake(accepted=OTHER), OrderIntake(fence=Fence(epoch=7)))
    cancel = OrderIntake(cancelled=CancelledOrder(order=ORDER))
    values = [GARBAGE, *(each.SerializeToString() for each in intakes), None, cancel.SerializeToString(), b""]
    published, foreign = await sorted_out(records(*values), frozenset({1}))
    assert published == [Published("o1", 1, "h1", 3), Published("o1", 1, "h1", 3, cancelled=True)]
    assert foreign == [f"{ORDERS_INTAKE}/2/{offset}" for offset in (0, 4, 6)]


def test_they_break_nothing_and_are_told_with_a_verdict() -> None:
    places = [f"{ORDERS_INTAKE}/0/{offset}" for offset in range(7)]
    with_some: Log = log(foreign=places)
    [line] = [each for each in check(facts(log=with_some), INVARIANTS).lines if each.invariant == "I11"]
    assert line.verdict is Verdict.HOLDS
    assert line.detail == f"records that are no order: 7, {', '.join(places[:5])}"
    behind = check(facts(log=log(foreign=places, lag={"order_worker": 1})), INVARIANTS)
    [line] = [each for each in behind.lines if each.invariant == "I11"]
    assert line.verdict is Verdict.VIOLATED
    assert line.detail.startswith("group order_worker is 1 records behind; records that are no order: 7")


@pytest.mark.parametrize("topic", [ORDERS_INTAKE, ORDERS_CREATED, PAYMENTS_RESULTS, dlq_topic(ORDERS_INTAKE)])
def test_a_trace_tells_of_them(topic: str) -> None:
    raw = SimpleNamespace(topic=topic, partition=0, offset=3, value=GARBAGE, timestamp=5, headers=())
    assert event_of(raw).what == "bytes that do not decode"


def test_what_does_not_decode_elsewhere_is_told_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert issubclass(DecodeError, run.FAILURES)
    assert issubclass(DecodeError, trace.FAILURES)

    async def broken() -> None:
        await asyncio.to_thread(OrderIntake.FromString, GARBAGE)

    with pytest.raises(typer.Exit) as ended:
        ran(broken())
    assert ended.value.exit_code == 1
    assert "parsing" in capsys.readouterr().err
