"""Where a verdict was made: the commit and the machine."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import psutil


def origin() -> dict[str, Any]:
    asked = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    found = subprocess.run(asked, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return {
        "commit": found.stdout.strip() or "unknown",
        "machine": {
            "cores": os.cpu_count(),
            "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
            "kernel": platform.release(),
            "python": platform.python_version(),
        },
    }
