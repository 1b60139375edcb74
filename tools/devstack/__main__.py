"""`python -m tools.devstack up|down|status|logs|clean [--only a,b]`.

Besides: `during -- COMMAND`, a command with a mesh around it; `lend -- COMMAND`, a command on servers given by URL;
and `prepare`, once at set-up: Kafka's jars.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable

from tools import devstack
from tools.devstack.archive import archive_classes
from tools.devstack.lend import lend
from tools.devstack.servers import kafka
from tools.devstack.spec import DevstackError, Mesh


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
    parser.add_argument("name", nargs="?", default="supervisor", help="the process whose log to show")
    parser.add_argument("--only", help="processes to start, with commas; what they need starts too")
    parser.add_argument("--follow", "-f", action="store_true", help="go on showing the log")
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    options.run = words[split + 1 :]
    return options


def _up(options: argparse.Namespace) -> int:
    only = options.only.split(",") if options.only else None
    seconds = devstack.up(only=only, progress=lambda line: print(line, flush=True))
    print(f"all ready in {seconds:.1f} s")
    return 0


def _down(_: argparse.Namespace) -> int:
    print("stopped" if devstack.down() else "nothing was running")
    return 0


def _status(_: argparse.Namespace) -> int:
    rows = devstack.status()
    if not devstack.is_up():
        print("no mesh is running")
        return 1
    for row in rows:
        ports = " ".join(str(port) for port in row.ports.values())
        start = f"{row.seconds_to_ready:5.1f} s" if row.seconds_to_ready is not None else "      –"
        alive = f"pid {row.pid or '–':<8} restarts {row.restarts:<3}"
        print(f"{row.name:<16} {row.state:<11} {alive} {start} {row.rss_mb:7.1f} MB  {ports}")
    own = devstack.supervisor_mb()
    print(f"resident: {sum(row.rss_mb for row in rows) + own:.0f} MB in all (supervisor {own:.0f} MB)")
    warm = devstack.warm_seconds()
    print(f"start: {warm:.1f} s until all was ready" if warm is not None else "start: not all is ready")
    return 0


def _logs(options: argparse.Namespace) -> int:
    for line in devstack.logs(options.name, options.follow):
        print(line)
    return 0


def _clean(_: argparse.Namespace) -> int:
    devstack.down()
    shutil.rmtree(Mesh.of().run_dir, ignore_errors=True)
    print(f"removed {Mesh.of().run_dir}")
    return 0


def _during(options: argparse.Namespace) -> int:
    """Runs a command on the mesh. A mesh that was not running is stopped afterwards, however the command ended."""
    ours = not devstack.is_up()
    _up(options)
    try:
        return subprocess.run(options.run, check=False).returncode
    finally:
        if ours:
            _down(options)


def _lend(options: argparse.Namespace) -> int:
    return lend(options.run)


def _prepare(_: argparse.Namespace) -> int:
    kafka.fetch_jars()
    if not kafka.CLASSES.exists():
        archive_classes()
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "up": _up,
    "down": _down,
    "status": _status,
    "logs": _logs,
    "clean": _clean,
    "during": _during,
    "lend": _lend,
    "prepare": _prepare,
}

if __name__ == "__main__":
    raise SystemExit(main())
