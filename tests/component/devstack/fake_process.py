"""A process to supervise, as small as can be: `python fake_process.py FILE [seconds to live] [exit status]`.

Appends a line to FILE at each start, so that a test counts starts, and with SIGTERM a line `stopped`.
"""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    file = Path(sys.argv[1])
    lifetime = float(sys.argv[2]) if len(sys.argv) > 2 else 60.0
    status = int(sys.argv[3]) if len(sys.argv) > 3 else 0

    def stop(*_: object) -> None:
        with file.open("a") as out:
            out.write("stopped\n")
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    with file.open("a") as out:
        out.write(f"started {os.environ.get('FAKE', '')}\n")
    print("fake process is up", flush=True)
    time.sleep(lifetime)
    print("fake process gives in", flush=True)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
