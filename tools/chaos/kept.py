"""What the run folder keeps of past runs of scenarios."""

import shutil
from pathlib import Path

# A run leaves 0.5 MB, most of it its calls.
KEPT = 50


def forget_old_runs(runs: Path, kept: int) -> list[str]:
    """Removes all but the `kept` latest of the folders, by when their verdict was written; returns their names."""
    found = sorted(runs.glob("*/verdict.json"), key=lambda verdict: verdict.stat().st_mtime)
    old = [verdict.parent for verdict in found[: max(0, len(found) - kept)]]
    for folder in old:
        shutil.rmtree(folder)
    return [folder.name for folder in old]
