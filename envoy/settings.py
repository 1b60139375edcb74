"""What the configuration is rendered from, beside the ports."""

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    gateway_address: str = Field(default="127.0.0.1", description="where the public door listens")
    cors_origin: str = Field(
        default=r"https?://(localhost|127\.0\.0\.1)(:\d+)?", description="origins (RE2) a browser may call from"
    )
    request_seconds: float = Field(
        default=30, gt=0, description="in which a request must have arrived at a public door; an avatar is 2 MiB"
    )
