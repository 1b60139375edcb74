import os
import subprocess
import sys


def test_all_errors_are_told_together() -> None:
    env = {**os.environ, "PEAKMESH_PORT_BASE": "-1", "PEAKMESH_LOG_LEVEL": "loud"}
    code = "from meshkit.settings import ProcessSettings, load; load(ProcessSettings)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "PEAKMESH_PORT_BASE" in done.stderr
    assert "PEAKMESH_LOG_LEVEL" in done.stderr
    assert "Traceback" not in done.stderr
