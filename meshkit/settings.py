"""Settings of a process: from the environment, parsed once, all errors told together."""

import sys
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from meshkit.ports import Ports


class ProcessSettings(BaseSettings):
    """What every process is told. The three URLs default to the mesh's own servers on loopback."""

    model_config = SettingsConfigDict(env_prefix="PEAKMESH_", extra="ignore", frozen=True)

    port_base: int = Field(default=0, ge=0, le=5000 * 2, description="offset added to every port")
    instance: int = Field(default=0, ge=0, le=1, description="which of two of a kind: decides the ports")
    run_dir: Path = Field(default=Path(".run"), description="everything the mesh writes")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")
    redis_url: str = ""
    db_url: str = ""
    kafka_bootstrap: str = ""
    flags_target: str = Field(default="", description="a flagd sync server; by Envoy's egress to a governor when empty")
    drain_seconds: float = Field(default=1.0, ge=0, description="NOT_SERVING this long before the server stops")
    unsafe: bool = Field(default=False, description="accept servers whose durability settings could lose orders")

    certificates: str = Field(default="", description="PEM files whose dates the preflight checks, with commas between")

    @property
    def ports(self) -> Ports:
        return Ports(self.port_base)

    @property
    def flags(self) -> str:
        return self.flags_target or f"127.0.0.1:{self.ports['egress']}"

    @property
    def redis(self) -> str:
        return self.redis_url or f"redis://127.0.0.1:{self.ports['redis']}/0"

    @property
    def kafka(self) -> str:
        return self.kafka_bootstrap or f"127.0.0.1:{self.ports['kafka']}"

    @property
    def database(self) -> str:
        """SQLAlchemy URL; the password of the mesh's own server was made at set-up."""
        if self.db_url:
            return self.db_url
        secret = self.run_dir / "secrets" / "db_password"
        password = quote(secret.read_text().strip(), safe="") if secret.exists() else ""
        return f"mysql+asyncmy://peakmesh:{password}@127.0.0.1:{self.ports['mariadb']}/peakmesh?charset=utf8mb4"

    @property
    def identity_dir(self) -> Path:
        return self.run_dir / "identity"

    @property
    def toggles_file(self) -> Path:
        """Which features Envoy answers itself: the governor writes it, Envoy watches its folder."""
        return self.run_dir / "runtime" / "toggles.json"

    @property
    def jwks(self) -> Path:
        return self.identity_dir / "jwks.json"


S = TypeVar("S", bound=ProcessSettings)


def load(cls: type[S]) -> S:
    """The settings, or every error in them on stderr and exit status 2."""
    try:
        return cls()
    except ValidationError as error:
        for each in error.errors():
            name = "_".join(str(part) for part in each["loc"]).upper()
            print(f"PEAKMESH_{name.removeprefix('PEAKMESH_')}: {each['msg']} (got {each['input']!r})", file=sys.stderr)
        raise SystemExit(2) from None
