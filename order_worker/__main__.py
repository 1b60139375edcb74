"""`python -m order_worker consume|serve`."""

import sys

from meshkit.lifecycle import main
from order_worker.app import ROLES
from order_worker.settings import Settings

if __name__ == "__main__":
    role = sys.argv[1] if len(sys.argv) == 2 else ""
    if role not in ROLES:
        sys.exit("usage: python -m order_worker consume|serve")
    main(ROLES[role], Settings, f"order_worker.{role}")
