"""`python -m governor`: serves OpsService until SIGTERM."""

from governor.app import running
from governor.settings import Settings
from meshkit.lifecycle import main

main(running, Settings, process="governor")
