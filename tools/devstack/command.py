"""A command that runs while a mesh is held up for it."""

import subprocess
from collections.abc import Mapping, Sequence


def run_to_its_end(command: Sequence[str], env: Mapping[str, str] | None = None) -> int:
    """Its exit status. Ctrl-C is the command's to answer: a terminal tells it too, and `subprocess.run` would kill it
    a quarter of a second later, in the middle of closing its sale."""
    with subprocess.Popen(command, env=env) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue
