"""Envoy's runtime, by its admin port: the one place where faults are armed. Standard library only, so that the process
that waits to disarm one stays small."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from meshkit.http import fetch

TIMEOUT_SECONDS = 5.0


class NoEnvoyError(ValueError):
    """Envoy's admin port does not answer."""


def modify(admin_port: int, values: Mapping[str, int | None]) -> None:
    """All keys in one request; None takes an override back. Raises NoEnvoyError."""
    words = {key: "" if value is None else value for key, value in values.items()}
    _ask(admin_port, "/runtime_modify?" + urlencode(words), b"")


def overrides(admin_port: int, prefix: str) -> dict[str, int]:
    """What the admin layer says, by key. Raises NoEnvoyError."""
    entries = json.loads(_ask(admin_port, "/runtime"))["entries"]
    return {
        key: int(entry["layer_values"][-1])
        for key, entry in entries.items()
        if key.startswith(prefix) and entry["layer_values"][-1]
    }


def _ask(admin_port: int, path: str, body: bytes | None = None) -> str:
    try:
        return fetch(admin_port, path, body=body, timeout=TIMEOUT_SECONDS)
    except OSError as error:
        raise NoEnvoyError(f"Envoy's admin port {admin_port} does not answer: is the mesh up? ({error})") from None
