"""Settings of promo_svc."""

from pathlib import Path

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    promo_vouchers: Path = Field(
        default=Path(__file__).with_name("vouchers.json"), description="the vouchers, read once at start"
    )
