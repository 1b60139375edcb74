"""docs/metrics.md is the table of what the code declares."""

import re
from collections import Counter
from importlib import import_module
from pathlib import Path

import pytest

from meshkit.metrics import DECLARED

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
SERVICES = ("checkout_svc", "engagement_svc", "governor", "order_worker", "payment_worker", "promo_svc")
_MODULES = [import_module(f"{service}.metrics") for service in SERVICES]


def test_the_page_lists_exactly_what_is_declared() -> None:
    declared = {f"| `{each.name}` | {each.kind} | {', '.join(each.labels) or '–'} | {each.help} |" for each in DECLARED}
    listed = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert sorted(listed) == sorted(declared)


@pytest.mark.parametrize("module", _MODULES, ids=SERVICES)
def test_nothing_is_declared_that_nobody_counts(module: object) -> None:
    path = Path(str(module.__dict__["__file__"]))
    names = [name for name in module.__dict__ if name.isupper()]
    others = [each.read_text() for each in path.parent.rglob("*.py") if each != path]
    assert names
    assert [name for name in names if not any(re.search(rf"\b{name}\b", text) for text in others)] == []


def test_no_name_is_declared_twice() -> None:
    names = Counter(each.name for each in DECLARED)
    assert [name for name, times in names.items() if times > 1] == []
