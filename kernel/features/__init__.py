"""The features that may be switched off, read from `features.flagd.json`: flagd's own format, so that a real flagd can
serve the file. Search, cart and checkout are none of them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from meshkit.errors import FeatureDisabled

RUNTIME_LAYER = "toggles"
# The one that is more than its RPCs: while it is off, checkout asks promotions nothing.
PROMOTIONS = "promotions"
# Of the states: the journal's last entry, as Redis numbers it, milliseconds first. A later change has a greater one.
Version = tuple[int, int]
NEVER_CHANGED: Version = (0, 0)
VERSION_KEY = "toggles.version"
# As long as load usually lasts at least: clients that came back each second would be load of their own.
RETRY_AFTER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Feature:
    """`rpcs` are full method paths (`/package.Service/Method`). `when_off`: what a buyer notices."""

    name: str
    on_by_default: bool
    owner: str
    when_off: str
    remove_by: str
    rpcs: tuple[str, ...]

    @property
    def runtime_key(self) -> str:
        """Envoy's: the percentage of calls that it answers itself; 100 where the feature is off."""
        return f"feature_off.{self.name}"


@cache
def flag_file() -> dict[str, Any]:
    """The file as it is. Not to be changed: see `flag_document`."""
    found: dict[str, Any] = json.loads((files(__package__) / "features.flagd.json").read_text("utf-8"))
    return found


@cache
def features() -> Mapping[str, Feature]:
    """By name, in the order in which load switches them off."""
    return {name: _feature(name, flag) for name, flag in flag_file()["flags"].items()}


def defaults() -> dict[str, bool]:
    return {name: feature.on_by_default for name, feature in features().items()}


def flag_document(states: Mapping[str, bool]) -> str:
    """flagd's configuration with each flag in its present state."""
    flags = {
        name: flag | {"defaultVariant": "on" if states[name] else "off"} for name, flag in flag_file()["flags"].items()
    }
    return json.dumps(flag_file() | {"flags": flags})


def runtime_document(states: Mapping[str, bool], version: Version = NEVER_CHANGED) -> str:
    """What Envoy reads from its runtime file: JSON, which is YAML too. The version is for who writes it next."""
    layer: dict[str, Any] = {features()[name].runtime_key: 0 if on else 100 for name, on in states.items()}
    layer[VERSION_KEY] = "-".join(map(str, version))
    kind = "type.googleapis.com/envoy.service.runtime.v3.Runtime"
    return json.dumps({"resources": [{"@type": kind, "name": RUNTIME_LAYER, "layer": layer}]}, indent=2)


def runtime_version(text: str) -> Version:
    """Of a document as above. Raises ValueError."""
    try:
        told, _, part = json.loads(text)["resources"][0]["layer"][VERSION_KEY].partition("-")
        return int(told), int(part)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"not a runtime file of ours: {text[:100]!r}") from error


def disabled(name: str) -> FeatureDisabled:
    """The same answer whether Envoy gives it or a process."""
    words = f"{name} is switched off for now; buying goes on"
    return FeatureDisabled(words, metadata={"feature": name}, retry_after=RETRY_AFTER_SECONDS)


def _feature(name: str, flag: Mapping[str, Any]) -> Feature:
    told = flag["metadata"]
    return Feature(
        name=name,
        on_by_default=flag["variants"][flag["defaultVariant"]],
        owner=told["owner"],
        when_off=told["when_off"],
        remove_by=told["remove_by"],
        rpcs=tuple(f"/{rpc}" for rpc in told["rpcs"].split()),
    )
