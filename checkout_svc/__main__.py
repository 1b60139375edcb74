"""`python -m checkout_svc`."""

from checkout_svc.app import running
from checkout_svc.settings import Settings
from meshkit.lifecycle import main

if __name__ == "__main__":
    main(running, Settings, "checkout_svc")
