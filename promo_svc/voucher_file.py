"""The vouchers as data: a JSON file, read once at start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kernel.vouchers.records import Limits
from meshkit.money import CURRENCIES
from promo_svc.pricing import WHOLE, Automatic, Fixed, Percentage, Terms, Voucher

MinorUnits = Annotated[int, Field(ge=1, le=10**12)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Ident = Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]


class VoucherFileError(ValueError):
    """The file cannot be used; says each wrong entry, its field and what is wrong with it."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        super().__init__(f"{path}: " + "; ".join(faults))
        self.faults = tuple(faults)


class _Promotion(BaseModel):
    model_config = ConfigDict(extra="forbid")

    percent_basis_points: int | None = Field(default=None, strict=True, ge=1, le=WHOLE)
    fixed_minor: MinorUnits | None = Field(default=None, strict=True)
    min_spend_minor: int = Field(default=0, strict=True, ge=0, le=10**12)
    currency: str | None = None
    valid_from: AwareDatetime
    valid_until: AwareDatetime
    skus: frozenset[Ident] = frozenset()
    sale_ids: frozenset[Ident] = frozenset()

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

    @property
    def benefit(self) -> Percentage | Fixed:
        return Fixed(self.fixed_minor) if self.fixed_minor else Percentage(self.percent_basis_points or 0)

    @property
    def terms(self) -> Terms:
        times = (self.valid_from, self.valid_until)
        return Terms(self.currency, self.min_spend_minor, *times, self.skus, self.sale_ids)


class _Automatic(_Promotion):
    name: Ident


class _Voucher(_Promotion):
    code: Ident
    budget_minor: MinorUnits | None = Field(default=None, strict=True)
    budget_grants: Count | None = Field(default=None, strict=True)
    uses_per_user: Count | None = Field(default=None, strict=True)
    stacks_with: frozenset[str] = frozenset()
    listed: bool = True

    @model_validator(mode="after")
    def _limited(self) -> Self:
        if self.budget_minor and self.budget_grants:
            raise ValueError("budget_minor, budget_grants: at most one")
        if self.budget_minor and self.currency is None:
            raise ValueError("currency: needed beside budget_minor")
        return self

    def voucher(self, automatic: Sequence[Automatic]) -> Voucher:
        limits = Limits(self.budget_minor, self.budget_grants, self.uses_per_user)
        stacked = tuple(each for each in automatic if each.name in self.stacks_with)
        return Voucher(self.code, self.benefit, self.terms, limits, stacked, self.listed)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    automatic: list[_Automatic] = []
    vouchers: list[_Voucher]


def read_vouchers(path: Path) -> Mapping[str, Voucher]:
    """Vouchers by code. Raises VoucherFileError with every fault in the file."""
    try:
        file = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise VoucherFileError(path, [error.strerror or "cannot be read"]) from None
    except ValidationError as error:
        raise VoucherFileError(path, [_fault(each["loc"], each["msg"]) for each in error.errors()]) from None
    faults = _repeated("automatic", "name", [each.name for each in file.automatic])
    faults += _repeated("vouchers", "code", [each.code for each in file.vouchers])
    automatic = [Automatic(each.name, each.benefit, each.terms) for each in file.automatic]
    names = {each.name for each in automatic}
    for number, entry in enumerate(file.vouchers):
        for unknown in sorted(entry.stacks_with - names):
            faults.append(_fault(("vouchers", number, "stacks_with"), f"there is no automatic promotion {unknown}"))
    if faults:
        raise VoucherFileError(path, faults)
    return {entry.code: entry.voucher(automatic) for entry in file.vouchers}


def _repeated(part: str, field: str, names: Sequence[str]) -> list[str]:
    return [
        _fault((part, number, field), f"{name} is there twice")
        for number, name in enumerate(names)
        if name in names[:number]
    ]


def _fault(where: Sequence[Any], what: str) -> str:
    """("vouchers", 2, "code") → "entry 3, field code: …", counted from 1 as a reader of the file does."""
    words = what.removeprefix("Value error, ")
    if len(where) < 2:
        return ", ".join([*map(str, where), words])
    entry = f"{'automatic ' if where[0] == 'automatic' else ''}entry {int(where[1]) + 1}"
    field = f", field {'.'.join(map(str, where[2:]))}" if len(where) > 2 else ", field"
    return f"{entry}{field}{':' if len(where) > 2 else ''} {words}"
