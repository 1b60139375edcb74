"""Settings of engagement_svc."""

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    engagement_train_seconds: float = Field(default=60, gt=0, description="between two trainings of the model")
    engagement_purchases: int = Field(
        default=50_000, ge=1, le=1_000_000, description="the latest so many are learnt of"
    )
    engagement_pictures: int = Field(default=1, ge=1, le=8, description="pictures resized at once; more wait")
    # As Envoy lets through; 64 recommendations at once took 0.25 s, of the second of their route.
    engagement_rpcs: int = Field(default=64, ge=1, description="unary RPCs at once; past it: OVERLOADED")
