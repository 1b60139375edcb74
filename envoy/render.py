"""Renders Envoy's configuration: `python -m envoy.render --out FILE`, or `--check` to have Envoy validate it."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from envoy.command import envoy_binary
from envoy.edge_status import BAD_HEADERS, REPLIES, feature_off
from envoy.fault_targets import KNOBS, TARGETS, runtime_key
from envoy.hops import HOPS, PROVIDERS
from envoy.json_fields import filter_source
from envoy.public_api import bindings, descriptor_set, public_methods
from envoy.settings import Settings
from envoy.sheddable import SHEDDABLE
from kernel.features import RUNTIME_LAYER, defaults, features, runtime_document
from meshkit.identity import AUDIENCE, ISSUER, create_keys
from meshkit.settings import load

OPENAPI = Path(__file__).resolve().parents[1] / "generated" / "openapi.json"


def render(settings: Settings) -> str:
    """The whole bootstrap as YAML. Paths in it are absolute: Envoy may run in another folder."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701  YAML for Envoy, not HTML for a browser
    )
    text = templates.get_template("envoy.yaml.j2").render(
        ports=settings.ports,
        gateway_address=settings.gateway_address,
        cors_origin=settings.cors_origin,
        request_seconds=settings.request_seconds,
        logs=settings.run_dir.resolve() / "logs",
        jwks=settings.jwks.resolve(),
        issuer=ISSUER,
        audience=AUDIENCE,
        providers=PROVIDERS,
        hops=HOPS,
        faults_at_rest={runtime_key(target, knob): value for target in TARGETS for knob, value in KNOBS.items()},
        replies=REPLIES,
        bad_headers=BAD_HEADERS,
        openapi=OPENAPI,
        descriptors=descriptors_file(settings).resolve(),
        public_methods=public_methods(),
        json_filter=filter_source(bindings()),
        sheddable=SHEDDABLE,
        features=[(feature, feature_off(feature.name)) for feature in features().values()],
        feature_layer=RUNTIME_LAYER,
        toggles_file=settings.toggles_file.resolve(),
    )
    return "".join(f"{line}\n" for line in text.splitlines() if line.strip())


def write(settings: Settings, out: Path) -> None:
    """Writes the configuration and makes the folder of the logs it names."""
    (settings.run_dir / "logs").mkdir(parents=True, exist_ok=True)
    descriptors_file(settings).write_bytes(descriptor_set())
    _lay_toggles(settings.toggles_file)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(render(settings))


def _lay_toggles(file: Path) -> None:
    """Envoy does not start without the file. One that is there stays: it is the governor's last word."""
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        file.write_text(runtime_document(defaults()))


def descriptors_file(settings: Settings) -> Path:
    """The contracts as Envoy's transcoder reads them, at its start."""
    return settings.run_dir / "protos.binpb"


def check(settings: Settings) -> int:
    """Envoy's own verdict on the configuration, in a folder of its own: its exit status."""
    with tempfile.TemporaryDirectory(prefix="peakmesh-envoy-") as folder:
        apart = settings.model_copy(update={"run_dir": Path(folder)})
        create_keys(apart.identity_dir)
        config = Path(folder) / "envoy.yaml"
        write(apart, config)
        argv = [str(envoy_binary()), "--mode", "validate", "--config-path", str(config), "--log-level", "warning"]
        return subprocess.run(argv, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m envoy.render", description=__doc__)
    parser.add_argument("--out", type=Path, help="where to write; - is standard output")
    parser.add_argument("--check", action="store_true", help="run `envoy --mode validate`; exit status is Envoy's")
    arguments = parser.parse_args()
    settings = load(Settings)
    if arguments.check:
        return check(settings)
    if arguments.out is None:
        parser.error("one of --out and --check is needed")
    if str(arguments.out) == "-":
        print(render(settings))
    else:
        write(settings, arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
