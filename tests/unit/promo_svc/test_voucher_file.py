"""The voucher file: what it means, and what is said of a bad one."""

import json
from pathlib import Path
from typing import Any

import pytest

from kernel.vouchers.records import Limits
from promo_svc.pricing import Fixed, Percentage
from promo_svc.settings import Settings
from promo_svc.voucher_file import VoucherFileError, read_vouchers

WINDOW = {"valid_from": "2026-01-01T00:00:00Z", "valid_until": "2026-02-01T00:00:00Z"}
GOOD = {"code": "GOOD", "percent_basis_points": 1_000, **WINDOW}


def written(folder: Path, *entries: dict[str, Any]) -> Path:
    path = folder / "vouchers.json"
    path.write_text(json.dumps({"vouchers": entries}))
    return path


def test_the_demo_vouchers_are_there() -> None:
    vouchers = read_vouchers(Settings().promo_vouchers)
    assert vouchers["WELCOME10"].benefit == Percentage(1_000)
    assert vouchers["FIVEOFF"].benefit == Fixed(500)
    assert vouchers["FIVEOFF"].terms.min_spend_minor == 2_000
    assert vouchers["SUMMER2024"].terms.valid_until.year == 2024
    assert vouchers["FIRST100"].limits == Limits(None, 100, 1)
    assert [each.name for each in vouchers["FIRST100"].stacks_with] == ["PHONE-WEEK"]
    assert not vouchers["WELCOME10"].limits


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (GOOD | {"code": "{slot}"}, "entry 2, field code: "),
        (GOOD | {"percent_basis_points": 10_001}, "entry 2, field percent_basis_points: "),
        (GOOD | {"percent_basis_points": "10"}, "entry 2, field percent_basis_points: "),
        (GOOD | {"percent_basis_points": 0.5}, "entry 2, field percent_basis_points: "),
        (GOOD | {"fixed_minor": 5, "currency": "EUR"}, "entry 2, field percent_basis_points, fixed_minor: exactly one"),
        ({"code": "NONE", **WINDOW}, "entry 2, field percent_basis_points, fixed_minor: exactly one"),
        ({"code": "FIVE", "fixed_minor": 500, **WINDOW}, "entry 2, field currency: needed"),
        (GOOD | {"currency": "JPY"}, "entry 2, field currency: must be one of"),
        (GOOD | {"min_spend_minor": -1}, "entry 2, field min_spend_minor: "),
        (GOOD | {"valid_until": "2025-01-01T00:00:00Z"}, "entry 2, field valid_until: must be after valid_from"),
        (GOOD | {"valid_from": "2026-01-01T00:00:00"}, "entry 2, field valid_from: "),
        (GOOD | {"minimum": 5}, "entry 2, field minimum: "),
        (GOOD, "entry 2, field code: GOOD is there twice"),
        (GOOD | {"code": "A", "budget_grants": 0}, "entry 2, field budget_grants: "),
        (GOOD | {"code": "A", "uses_per_user": "1"}, "entry 2, field uses_per_user: "),
        (GOOD | {"code": "A", "budget_minor": 5}, "entry 2, field currency: needed beside budget_minor"),
        (
            GOOD | {"code": "A", "currency": "EUR", "budget_minor": 5, "budget_grants": 5},
            "entry 2, field budget_minor, budget_grants: at most one",
        ),
        (GOOD | {"code": "A", "skus": ["{}"]}, "entry 2, field skus"),
        (GOOD | {"code": "A", "stacks_with": ["NONE"]}, "entry 2, field stacks_with: there is no automatic promotion"),
    ],
)
def test_a_bad_entry_is_named_with_its_field(tmp_path: Path, entry: dict[str, Any], fault: str) -> None:
    path = written(tmp_path, GOOD, entry)
    with pytest.raises(VoucherFileError) as raised:
        read_vouchers(path)
    assert [each for each in raised.value.faults if each.startswith(fault)], raised.value.faults
    assert str(path) in str(raised.value)


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(VoucherFileError) as raised:
        read_vouchers(written(tmp_path, GOOD | {"code": ""}, GOOD | {"min_spend_minor": -1}))
    assert [fault.split(":")[0] for fault in raised.value.faults] == [
        "entry 1, field code",
        "entry 2, field min_spend_minor",
    ]


def test_a_file_that_is_missing_or_no_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(VoucherFileError, match=r"absent\.json: No such file"):
        read_vouchers(tmp_path / "absent.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(VoucherFileError, match=r"bad\.json: Invalid JSON"):
        read_vouchers(tmp_path / "bad.json")
