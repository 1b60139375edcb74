"""Tells Envoy which features are off: a runtime file that Envoy watches. No control plane, and it outlives us."""

import os
from collections.abc import Mapping
from pathlib import Path

from kernel.features import NEVER_CHANGED, Version, runtime_document, runtime_version


class EnvoyRuntime:
    """`path`: Envoy sees only a move into the folder, so the file is replaced and never written in place."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, states: Mapping[str, bool], version: Version = NEVER_CHANGED, *, force: bool = False) -> bool:
        """False: the file tells of a later version already, and stays unless `force`. Raises OSError.

        Two governors write it. One that was frozen between its look at Redis and this call would undo what the other
        wrote meanwhile.
        """
        text = runtime_document(states, version)
        if self._path.exists():
            there = self._path.read_text("utf-8")
            if there == text:
                return True
            if not force and _version_of(there) > version:
                return False
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Two governors may write at once: each has a draft of its own.
        draft = self._path.with_suffix(f".{os.getpid()}.draft")
        draft.write_text(text, "utf-8")
        draft.replace(self._path)
        return True


def _version_of(text: str) -> Version:
    try:
        return runtime_version(text)
    except ValueError:
        # Whoever wrote that: ours is better.
        return NEVER_CHANGED
