from pathlib import Path
from typing import Any

import pytest
import yaml

from envoy.render import render
from envoy.settings import Settings


@pytest.fixture(scope="session")
def config() -> dict[str, Any]:
    parsed = yaml.safe_load(render(Settings(port_base=700, run_dir=Path("somewhere"))))
    assert isinstance(parsed, dict)
    return parsed
