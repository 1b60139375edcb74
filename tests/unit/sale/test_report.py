"""The report says what the verdict says, needs no other file, and survives a sale in which nothing went well."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.unit.sale.verdicts import samples, verdict
from tools.sale.report import funnel, render, write_report
from tools.sale.slow import what_was_slow

NOTHING = {"p50": None, "p99": None, "p999": None}


def test_the_page_needs_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text(json.dumps(verdict()))
    (tmp_path / "samples.json").write_text(json.dumps([asdict(sample) for sample in samples()]))
    page = write_report(tmp_path).read_text()
    links = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert len(links) == 2
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert 'name="viewport"' in page


def test_the_page_says_what_the_verdict_says() -> None:
    page = render(verdict(why=["3 units were sold that did not exist"], verdict="violated"), samples())
    for words in ("1,000 taps, 200 units", "violated", "3 units were sold", "sale-1", ">140<", "I4"):
        assert words in page


def test_words_from_outside_are_escaped() -> None:
    assert "<script>" not in render(verdict(why=["<script>alert(1)</script>"]), samples())


def test_a_sale_in_which_nothing_was_accepted_has_a_page() -> None:
    nothing = verdict(
        accepted=0,
        persisted=0,
        paid=0,
        latency_ms={"accepted": NOTHING, "sold_out": NOTHING},
        stages_ms={"checkout": NOTHING, "queue": NOTHING, "settle": NOTHING},
        consistency_delay_ms=NOTHING,
    )
    assert "0 orders accepted" in render(nothing, samples())
    assert what_was_slow(nothing) == []


def test_the_funnel_is_of_the_taps() -> None:
    assert [(count, share) for _, count, share in funnel(verdict())] == [(1000, 100), (200, 20), (200, 20), (200, 20)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"late_send_ms": {"p99": 80.0}}, "generator itself was up to 80 ms late"),
        ({"latency_ms": {"accepted": {"p50": 9.0, "p99": 30.0, "p999": 40.0}}}, "Most of it was checkout itself"),
        ({}, "the rest is waiting in Envoy"),
        ({"drain_rate": 20.0}, "it was the bottleneck"),
        ({"drain_rate": 32.0}, "its pace is a setting"),
    ],
)
def test_what_was_slow_follows_from_the_figures(changes: dict[str, object], words: str) -> None:
    assert words in " ".join(what_was_slow(verdict(**changes)))


def test_the_seller_has_a_page_of_their_own() -> None:
    row = {"revenue": "69,860.00 EUR", "average": "499.00 EUR", "orders": 140, "units": 141, "payment_failures": 3}
    seller = {"seller_id": "peakmesh", "skus": [row | {"sku": "phone"}], "hours": [row | {"hour": "2026-11-27T00"}]}
    page = render(verdict(seller=seller), samples())
    for words in ("What the seller sees", "69,860.00 EUR", ">141<", "2026-11-27T00"):
        assert words in page
    off = render(verdict(seller={"seller_id": "peakmesh", "error": "FEATURE_DISABLED: off"}), samples())
    assert "FEATURE_DISABLED: off" in off
    assert "What the seller sees" not in render(verdict(), samples())
