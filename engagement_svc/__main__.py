"""`python -m engagement_svc`: serves recommendations and profiles until SIGTERM."""

from engagement_svc.app import running
from engagement_svc.settings import Settings
from meshkit.lifecycle import main

main(running, Settings, process="engagement_svc")
