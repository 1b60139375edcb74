"""`python -m envoy`: renders the configuration into the run folder and becomes Envoy."""

import os

from envoy.command import envoy_argv
from envoy.render import write
from envoy.settings import Settings
from meshkit.settings import load

settings = load(Settings)
config = settings.run_dir / "envoy.yaml"
write(settings, config)
argv = envoy_argv(config)
# The same process id goes on: whoever started this signals Envoy itself.
os.execv(argv[0], argv)  # noqa: S606
