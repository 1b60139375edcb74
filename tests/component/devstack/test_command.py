"""Ctrl-C in `make sale`: the command puts things in order and ends; only then is its mesh stopped."""

import os
import signal
import subprocess
import sys

PATIENT = """
import sys
from tools.devstack.command import run_to_its_end
sys.exit(run_to_its_end([sys.executable, "-c", sys.argv[1]]))
"""
# Takes longer to put things in order than subprocess.run would wait.
COMMAND = """
import sys, time
try:
    print("at work", flush=True)
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.6)
    print("in order", flush=True)
    sys.exit(7)
"""


def test_an_interrupted_command_ends_in_its_own_time() -> None:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    # Where the tests run in the background they ignore Ctrl-C, and their children would too.
    patient = ["env", "--default-signal=INT", sys.executable, "-c", PATIENT, COMMAND]
    with subprocess.Popen(patient, stdout=subprocess.PIPE, env=env, start_new_session=True) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == b"at work\n"
        os.killpg(started.pid, signal.SIGINT)  # as a terminal does: to both
        assert started.stdout.readline() == b"in order\n"
        assert started.wait(10) == 7
