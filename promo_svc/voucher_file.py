"""The vouchers as data: a JSON file, read once at start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from meshkit.money import CURRENCIES
from promo_svc.pricing import WHOLE, Fixed, Percentage, Voucher

MinorUnits = Annotated[int, Field(ge=1, le=10**12)]


class VoucherFileError(ValueError):
    """The file cannot be used; says each wrong entry, its field and what is wrong with it."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(faults))
        self.faults = tuple(faults)


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")

    code: str = Field(pattern="^[A-Za-z0-9_-]{1,64}$")
    percent_basis_points: int | None = Field(default=None, strict=True, ge=1, le=WHOLE)
    fixed_minor: MinorUnits | None = Field(default=None, strict=True)
    min_spend_minor: int = Field(default=0, strict=True, ge=0, le=10**12)
    currency: str | None = None
    valid_from: AwareDatetime
    valid_until: AwareDatetime

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.percent_basis_points is None) == (self.fixed_minor is None):
            raise ValueError("percent_basis_points, fixed_minor: exactly one is needed")
        if self.currency is None and (self.fixed_minor or self.min_spend_minor):
            raise ValueError("currency: needed beside fixed_minor and min_spend_minor")
        if self.currency is not None and self.currency not in CURRENCIES:
            raise ValueError(f"currency: must be one of {', '.join(sorted(CURRENCIES))}")
        if self.valid_from >= self.valid_until:
            raise ValueError("valid_until: must be after valid_from")
        return self

    def voucher(self) -> Voucher:
        benefit = Fixed(self.fixed_minor) if self.fixed_minor else Percentage(self.percent_basis_points or 0)
        return Voucher(self.code, benefit, self.currency, self.min_spend_minor, self.valid_from, self.valid_until)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    vouchers: list[_Entry]


def read_vouchers(path: Path) -> Mapping[str, Voucher]:
    """Vouchers by code. Raises VoucherFileError with every fault in the file."""
    try:
        entries = _File.model_validate_json(path.read_bytes()).vouchers
    except OSError as error:
        raise VoucherFileError(path, [error.strerror or "cannot be read"]) from None
    except ValidationError as error:
        raise VoucherFileError(path, [_fault(each["loc"], each["msg"]) for each in error.errors()]) from None
    vouchers: dict[str, Voucher] = {}
    for number, entry in enumerate(entries):
        if entry.code in vouchers:
            raise VoucherFileError(path, [_fault(("vouchers", number, "code"), f"{entry.code} is there twice")])
        vouchers[entry.code] = entry.voucher()
    return vouchers


def _fault(where: Sequence[Any], what: str) -> str:
    """("vouchers", 2, "code") → "entry 3, field code: …", counted from 1 as a reader of the file does."""
    words = what.removeprefix("Value error, ")
    if len(where) < 2:
        return ", ".join([*map(str, where), words])
    field = f", field {'.'.join(map(str, where[2:]))}" if len(where) > 2 else ", field"
    return f"entry {int(where[1]) + 1}{field}{':' if len(where) > 2 else ''} {words}"
