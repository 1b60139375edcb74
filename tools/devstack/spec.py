"""What a process of the mesh is, and where a mesh lives."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from meshkit.ports import Ports
from meshkit.settings import ProcessSettings

ROOT = Path(__file__).resolve().parents[2]


class DevstackError(Exception):
    """One sentence for the person at the terminal: what is wrong and what to do about it."""


class Settings(ProcessSettings):
    pairs: bool = False


@dataclass(frozen=True)
class GivenServers:
    """Data servers that somebody else runs, by URL; an empty one is the mesh's own."""

    redis_url: str = ""
    db_url: str = ""
    kafka_bootstrap: str = ""


@dataclass(frozen=True)
class Mesh:
    """One mesh: its folder, its offset on every port, and which servers it was given. `run_dir` is absolute.
    `pairs`: two of every process of ours, where nothing else is asked for."""

    run_dir: Path
    port_base: int
    # Not shown: the database's URL holds its password.
    given: GivenServers = field(default=GivenServers(), repr=False)
    pairs: bool = False

    @classmethod
    def of(cls, run_dir: Path | None = None, port_base: int | None = None) -> "Mesh":
        """The environment's mesh; one in another folder is another mesh, and has servers of its own."""
        settings = Settings()
        base = settings.port_base if port_base is None else port_base
        # A relative folder is relative to the checkout, so that `peakmesh` means the same mesh from any folder.
        home, folder = (ROOT / settings.run_dir).resolve(), (ROOT / (run_dir or settings.run_dir)).resolve()
        given = GivenServers(settings.redis_url, settings.db_url, settings.kafka_bootstrap)
        return cls(folder, base, given if folder == home else GivenServers(), settings.pairs)

    @property
    def ports(self) -> Ports:
        return Ports(self.port_base)

    @property
    def settings(self) -> ProcessSettings:
        """The settings that a process of this mesh reads."""
        return ProcessSettings(run_dir=self.run_dir, port_base=self.port_base, **asdict(self.given))

    def log_file(self, name: str) -> Path:
        return self.run_dir / "logs" / f"{name}.log"


@dataclass(frozen=True)
class ProcessSpec:
    """One row of the table.

    `prepare` lays folders and configuration before each start and is harmless to repeat. `probe` raises until the
    process does its work. A `once` row runs to its end: exit status 0 is its readiness. A row with `call` is no
    process: the supervisor awaits it, once. `user` is the uid to run as, `nice` how much it
    gives way once it is ready. A `paired` row is the second of its kind, for a mesh of pairs alone.
    """

    name: str
    argv: Callable[[Mesh], list[str]] = lambda _: []
    ports: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    prepare: Callable[[Mesh], None] | None = None
    probe: Callable[[Mesh], Awaitable[None]] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    user: Callable[[], int | None] = lambda: None
    nice: int = 0
    once: bool = False
    paired: bool = False
    call: Callable[[Mesh], Awaitable[None]] | None = None
    ready_within: float = 60.0
    stop_grace: float = 10.0

    @property
    def is_ours(self) -> bool:
        """Every process of ours has metrics, and nobody else."""
        return any(port.endswith("_metrics") for port in self.ports)
