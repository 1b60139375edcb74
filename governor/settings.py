"""Settings of the governor."""

from pathlib import Path

from pydantic import Field

from meshkit.settings import ProcessSettings

SHIPPED_POLICY = Path(__file__).with_name("tiers.yaml")


class Settings(ProcessSettings):
    # A crash between SQL and Redis leaves a sale half open for at most this long.
    governor_heal_seconds: float = Field(default=5.0, gt=0, le=300)
    governor_lock_seconds: int = Field(default=10, ge=1, le=60, description="wait for another operator's change")
    # 64 reads at once take 0.25 s; what changes something waits for one lock anyway, 10 s at most.
    governor_rpcs: int = Field(default=64, ge=1, description="unary RPCs at once; past it: OVERLOADED")
    # The variable that checkout_svc reads, too: a rebuild waits that long for its answers.
    accept_budget_ms: int = Field(default=1000, gt=0, description="from a buyer's call to its answer")
    governor_policy: str = Field(default="", description="the tiers' policy file; the one that is shipped when empty")
    governor_dry_run: bool = Field(
        default=False, description="decide tiers, say what would be switched, switch nothing"
    )
    governor_scrape: str = Field(default="", description="host:port of each checkout's /metrics, with commas between")

    @property
    def policy_file(self) -> Path:
        return Path(self.governor_policy or SHIPPED_POLICY)

    @property
    def checkout_metrics(self) -> list[str]:
        own = ",".join(f"127.0.0.1:{self.ports[name]}" for name in ("checkout_0_metrics", "checkout_1_metrics"))
        return [each.strip() for each in (self.governor_scrape or own).split(",")]
