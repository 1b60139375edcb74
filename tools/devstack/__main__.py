"""`python -m tools.devstack during|lend|prepare`: what the Makefile asks. People start and stop a mesh by `peakmesh`.

`during -- COMMAND`: a command with a mesh around it; `lend -- COMMAND`: a command on servers given by URL; `prepare`,
once at set-up: Kafka's jars.
"""

import argparse
import sys
from collections.abc import Callable

from tools import devstack
from tools.devstack.archive import archive_classes
from tools.devstack.command import run_to_its_end
from tools.devstack.lend import lend
from tools.devstack.servers import kafka
from tools.devstack.spec import DevstackError


def main() -> int:
    options = _options()
    try:
        return COMMANDS[options.command](options)
    except DevstackError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.devstack", description=__doc__)
    parser.add_argument("command", choices=list(COMMANDS))
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    options.run = words[split + 1 :]
    return options


def _during(options: argparse.Namespace) -> int:
    """Runs a command on the mesh. A mesh that was not running is stopped afterwards, however the command ended."""
    ours = not devstack.is_up()
    seconds = devstack.up(progress=lambda line: print(line, flush=True))
    print(f"all ready in {seconds:.1f} s", flush=True)
    try:
        return run_to_its_end(options.run)
    finally:
        if ours:
            devstack.down()
            print("stopped")


def _lend(options: argparse.Namespace) -> int:
    return lend(options.run)


def _prepare(_: argparse.Namespace) -> int:
    kafka.fetch_jars()
    if not kafka.CLASSES.exists():
        archive_classes()
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "during": _during,
    "lend": _lend,
    "prepare": _prepare,
}

if __name__ == "__main__":
    raise SystemExit(main())
