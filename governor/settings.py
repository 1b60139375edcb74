"""Settings of the governor."""

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    # A crash between SQL and Redis leaves a sale half open for at most this long.
    governor_heal_seconds: float = Field(default=5.0, gt=0, le=300)
    governor_lock_seconds: int = Field(default=10, ge=1, le=60, description="wait for another operator's change")
