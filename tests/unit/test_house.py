"""The house's measures: nothing grows past what a reader holds in mind."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tools.devstack.spec import ROOT

LONGEST_FILE, LONGEST_FUNCTION = 300, 50
ROOMS = [
    *("checkout_svc", "engagement_svc", "envoy", "governor", "kernel", "meshkit"),
    *("order_worker", "payment_worker", "promo_svc", "tests", "tools"),
]


def files() -> Iterator[Path]:
    for room in ROOMS:
        yield from (ROOT / room).rglob("*.py")


def test_no_file_is_longer_than_a_reader_holds() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in files()}
    assert len(sizes) > 500
    assert {str(path.relative_to(ROOT)): size for path, size in sizes.items() if size > LONGEST_FILE} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}": size
        for path in files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (size := (node.end_lineno or 0) - node.lineno) > LONGEST_FUNCTION
    }
    assert long == {}
