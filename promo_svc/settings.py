"""Settings of promo_svc."""

from pathlib import Path

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    promo_vouchers: Path = Field(
        default=Path(__file__).with_name("vouchers.json"), description="the vouchers, read once at start"
    )
    promo_hold_seconds: float = Field(
        default=900, gt=0, description="a hold nobody ended is looked at; keep above PEAKMESH_ORDER_DEADLINE_SECONDS"
    )
    promo_redis_ms: int = Field(default=35, gt=0, description="for a hold; past it the outcome is unknown")
    promo_upkeep_seconds: float = Field(default=2, gt=0, description="between two looks at expired holds")
    # As many quotes as Envoy lets through, 64 (at once: half of them within 39 ms, of 45), and as many lists.
    promo_rpcs: int = Field(default=128, ge=1, description="unary RPCs at once; past it: OVERLOADED")
