"""Tells Envoy which features are off: a runtime file that Envoy watches. No control plane, and it outlives us."""

import os
from collections.abc import Mapping
from pathlib import Path

from kernel.features import runtime_document


class EnvoyRuntime:
    """`path`: Envoy sees only a move into the folder, so the file is replaced and never written in place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, states: Mapping[str, bool]) -> None:
        text = runtime_document(states)
        if self._path.exists() and self._path.read_text("utf-8") == text:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Two governors may write at once: each has a draft of its own.
        draft = self._path.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(text, "utf-8")
        draft.replace(self._path)
