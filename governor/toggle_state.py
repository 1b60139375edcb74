"""What a feature's state is made of, and how it changes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from kernel.features import Feature


class Source(StrEnum):
    """Whose word holds: an operator's override before the governor's own before the file's."""

    DEFAULT = "default"
    AUTOMATIC = "automatic"
    OVERRIDE = "override"


# Who makes the automatic changes; anybody else's is an override.
GOVERNOR = "governor"


@dataclass(frozen=True, slots=True)
class Change:
    """`on` None takes the setting away: `who`'s own, the automatic one or the override. `signal`: what was measured,
    for the journal. `expires_ms`: Unix ms, of an override; None: until it is cleared. `fence`: of an automatic change,
    its leader's term; 0 is no leader's."""

    flag: str
    on: bool | None
    who: str
    why: str
    signal: str = ""
    expires_ms: int | None = None
    fence: int = 0

    @property
    def source(self) -> Source:
        return Source.AUTOMATIC if self.who == GOVERNOR else Source.OVERRIDE


@dataclass(frozen=True, slots=True)
class Setting:
    """What was last set, by whom and why."""

    on: bool
    who: str
    why: str
    signal: str
    since_ms: int
    expires_ms: int | None = None

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: bytes) -> "Setting":
        """Raises ValueError. Fields that a later version wrote are passed over."""
        try:
            given = json.loads(text)
            return cls(**{name: given[name] for name in cls.__dataclass_fields__})
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a setting: {text[:200]!r}") from error


@dataclass(frozen=True, slots=True)
class FlagState:
    """`setting` is what holds; None where it is the default."""

    feature: Feature
    on: bool
    source: Source
    setting: Setting | None = None


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """`entry_id` grows. `what`: on, off, automatic (an override was taken away), default, expired."""

    entry_id: str
    at_ms: int
    flag: str
    what: str
    source: Source
    who: str
    why: str
    signal: str
    expires_ms: int | None


def state_of(feature: Feature, settings: Mapping[Source, Setting], now_ms: int) -> FlagState:
    override = settings.get(Source.OVERRIDE)
    if override is not None and not is_over(override, now_ms):
        return FlagState(feature, override.on, Source.OVERRIDE, override)
    automatic = settings.get(Source.AUTOMATIC)
    if automatic is not None:
        return FlagState(feature, automatic.on, Source.AUTOMATIC, automatic)
    return FlagState(feature, feature.on_by_default, Source.DEFAULT)


def is_over(setting: Setting, now_ms: int) -> bool:
    return setting.expires_ms is not None and setting.expires_ms <= now_ms
