"""The report says what the verdict says, needs no other file, and survives a sale in which nothing went well."""

import html
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.unit.sale.verdicts import samples, verdict
from tools.cli.__main__ import app
from tools.sale.report import COMMANDS, funnel, render, write_report
from tools.sale.slow import what_was_slow

NOTHING = {"p50": None, "p99": None, "p999": None}
ROW = {"revenue": "69,860.00 EUR", "average": "499.00 EUR", "orders": 140, "units": 141, "payment_failures": 3}
SELLER = {"seller_id": "peakmesh", "skus": [ROW | {"sku": "phone"}], "hours": [ROW | {"hour": "2026-11-27T00"}]}


def test_the_page_needs_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text(json.dumps(verdict()))
    (tmp_path / "samples.json").write_text(json.dumps([asdict(sample) for sample in samples()]))
    page = write_report(tmp_path).read_text()
    links = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert len(links) == 2
    assert all(link.startswith("data:image/png;base64,") for link in links)
    assert 'name="viewport"' in page


def sections(page: str) -> dict[str, str]:
    """The text of each section, tags taken out."""
    found = re.findall(r'<section id="(\w+)">(.*?)</section>', page, re.DOTALL)
    return {name: " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split()) for name, body in found}


def test_the_page_has_every_section_with_what_the_verdict_says() -> None:
    page = render(verdict(seller=SELLER), samples())
    says = sections(page)
    assert list(says) == [
        *("picture", "outcomes", "funnel", "consistency", "slow", "seller", "audit", "further"),
    ]
    assert "1,000 taps, 200 units, 200 orders accepted" in page
    for section, words in {
        "picture": "150 orders waited in Kafka; the database wrote 32 a second, and the last order ended 12.0 s",
        "consistency": "half within 3.5 s , 99 of 100 within 7.0 s",
        "slow": "99 were answered within 100 ms",
        "seller": "69,860.00 EUR",
        "audit": "I4 every order promised has its row holds",
        "further": "peakmesh audit --sale sale-1",
    }.items():
        assert words in says[section]
    assert page.count('src="data:image/png') == 1


def test_each_kind_of_answer_has_its_count_and_latencies() -> None:
    says = sections(render(verdict(), samples()))["outcomes"]
    for row in (
        "sold out no unit was left 790 10 100 140",
        "queued accepted: you are in queue 200 10 100 140",
        "limit reached the buyer had all they may have 7 11 12 13",
        "3 5,001 5,002 5,003",
    ):
        assert row in says
    strange = {"ODD_REASON": {"count": 1, "p50": 1.25, "p99": None, "p999": 2.0}}
    assert "odd reason 1 1.2 – 2.0" in sections(render(verdict(outcomes=strange), samples()))["outcomes"]


def test_the_funnel_has_each_step_with_its_share() -> None:
    says = sections(render(verdict(), samples()))["funnel"]
    assert says.startswith("From tap to paid tapped “Buy” 1,000 100.0 % accepted: told QUEUED 200 20.0 %")
    assert "written by the database 200 20.0 % paid 200 20.0 %" in says


def test_what_an_audit_found_is_told_beside_its_title() -> None:
    lines = [{"invariant": "I7", "verdict": "violated", "title": "charged at most once", "detail": "o1 twice"}]
    page = render(
        verdict(audit_lines=lines, why=["3 units were sold that did not exist"], verdict="violated"), samples()
    )
    assert "I7 charged at most once o1 twice violated" in sections(page)["audit"]
    assert "3 units were sold that did not exist" in page


def test_each_command_that_is_named_exists() -> None:
    page = render(verdict(), samples())
    named = [html.unescape(each) for each in re.findall(r"<dt><code>(.*?)</code></dt>", page)]
    assert len(named) == len(COMMANDS)
    for line in named:
        program, *words = line.split()
        assert program == "peakmesh"
        command: Any = typer.main.get_command(app)
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        command.make_context("", words)  # raises for an option or an argument that it does not have


def test_a_verdict_of_an_older_version_is_refused_by_name(tmp_path: Path) -> None:
    older = verdict()
    del older["outcomes"]
    (tmp_path / "verdict.json").write_text(json.dumps(older))
    with pytest.raises(ValueError, match="older version and has no outcomes"):
        write_report(tmp_path)


def test_words_from_outside_are_escaped() -> None:
    assert "<script>" not in render(verdict(why=["<script>alert(1)</script>"]), samples())


def test_a_sale_in_which_nothing_was_accepted_has_a_page() -> None:
    nothing = verdict(
        accepted=0,
        persisted=0,
        paid=0,
        outcomes={},
        latency_ms={"accepted": NOTHING, "sold_out": NOTHING},
        stages_ms={"checkout": NOTHING, "queue": NOTHING, "settle": NOTHING},
        consistency_delay_ms=NOTHING,
    )
    assert "0 orders accepted" in render(nothing, samples())
    assert what_was_slow(nothing) == []


def test_the_funnel_is_of_the_taps() -> None:
    assert [(count, share) for _, _, count, share in funnel(verdict())] == [
        (1000, 100),
        (200, 20),
        (200, 20),
        (200, 20),
    ]


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
    page = render(verdict(seller=SELLER), samples())
    for words in ("What the seller sees", "69,860.00 EUR", ">141<", "2026-11-27T00"):
        assert words in page
    off = render(verdict(seller={"seller_id": "peakmesh", "error": "FEATURE_DISABLED: off"}), samples())
    assert "FEATURE_DISABLED: off" in off
    assert "What the seller sees" not in render(verdict(), samples())
