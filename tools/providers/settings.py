"""Settings of the sandbox."""

from pathlib import Path

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    sandbox_opening_minor: int = Field(
        default=100_000_000, ge=0, le=10**15, description="minor units a wallet never seen before holds"
    )
    # A thread is held for as long as the knobs' latency: 128 of them at 200 ms still answer 640 calls a second.
    sandbox_threads: int = Field(default=128, ge=1, le=1024)
    # What they answer so within the 0.9 s of Envoy's egress. Without any latency 512 debits at once took 0.5 s.
    sandbox_rpcs: int = Field(default=576, ge=1, description="RPCs at once, at work or waiting; past it: OVERLOADED")

    @property
    def journal(self) -> Path:
        return self.run_dir / "providers" / "journal.sqlite"

    @property
    def knobs(self) -> Path:
        return self.run_dir / "providers" / "knobs.json"
