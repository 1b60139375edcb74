"""Settings of payment_worker: each field is read from PEAKMESH_<FIELD>."""

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    """Seconds, unless a description says otherwise."""

    providers_target: str = Field(default="", description="host:port of the providers; empty: Envoy's egress")
    payment_worker_concurrency: int = Field(default=200, ge=1, le=5000, description="orders in flight")
    payment_worker_bulkhead: int = Field(default=32, ge=1, description="calls in flight a provider")
    payment_worker_inline_retries: int = Field(default=3, ge=0, le=3, description="calls after the first, in place")
    payment_worker_call_deadline: float = Field(default=2.0, gt=0, le=30, description="one call to a provider")
    payment_worker_refund_every: float = Field(
        default=1.0, gt=0, description="pause between two sweeps for refunds and cancels"
    )
    payment_worker_stall_limit: float = Field(default=120.0, gt=0, description="lag without progress, then restart")

    @property
    def providers(self) -> str:
        return self.providers_target or f"127.0.0.1:{self.ports['egress']}"
