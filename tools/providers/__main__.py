"""`python -m tools.providers`: serves the sandbox until SIGTERM; `knobs` reads and turns its knobs."""

from tools.providers.command import main

raise SystemExit(main())
