"""What is kept of a voucher: its limits, its counters, and a record for each order that has a grant."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

NO_LIMIT = -1


class HoldState(StrEnum):
    """The values are the letters kept in Redis. A grant that is given back has no record."""

    HELD = "H"
    COMMITTED = "C"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a voucher may give; None: without limit. The budget is for all that its orders have taken off."""

    budget_minor: int | None = None
    budget_grants: int | None = None
    uses_per_user: int | None = None

    def __bool__(self) -> bool:
        return (self.budget_minor, self.budget_grants, self.uses_per_user) != (None, None, None)


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Counters:
    """Held and committed: sums over the voucher's records, in minor units and in orders."""

    limits: Limits
    held_minor: int
    held_grants: int
    committed_minor: int
    committed_grants: int

    @property
    def spent(self) -> bool:
        """Whether no further grant fits, however small."""
        grants, minor = self.limits.budget_grants, self.limits.budget_minor
        if grants is not None and self.held_grants + self.committed_grants >= grants:
            return True
        return minor is not None and self.held_minor + self.committed_minor >= minor


@dataclass(frozen=True, slots=True)
class Hold:
    """The grant of one order. `amount_minor` is its whole discount; `take` counts how often it was asked for."""

    state: HoldState
    user_id: str
    amount_minor: int
    expires_ms: int
    take: int = 1


def read_counters(values: Mapping[bytes, bytes]) -> Counters:
    """Of `vch`. Raises KeyError or ValueError for a hash that the scripts cannot have written."""

    def limit(name: bytes) -> int | None:
        return None if (value := int(values[name])) == NO_LIMIT else value

    limits = Limits(limit(b"budget_minor"), limit(b"budget_grants"), limit(b"uses_per_user"))
    held = int(values[b"held_minor"]), int(values[b"held_grants"])
    return Counters(limits, *held, int(values[b"committed_minor"]), int(values[b"committed_grants"]))


def read_hold(value: bytes) -> Hold:
    """Of `vhl`. Raises ValueError."""
    state, user, amount, expires, take, _request = value.decode().split("|", 5)
    return Hold(HoldState(state), user, int(amount), int(expires), int(take))
