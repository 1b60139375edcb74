"""Settings of order_worker, beside those of every process."""

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    order_worker_rate: float = Field(default=2000, ge=0, description="orders written a second; 0 is unlimited")
    order_worker_batch: int = Field(default=500, ge=1, le=2000, description="records a transaction at most")
    order_worker_watchdog_seconds: float = Field(default=60, gt=0, description="a backlog untouched so long ends it")
    order_worker_expiry_seconds: float = Field(default=1, gt=0, description="between two looks for expired orders")
    order_worker_reconcile_seconds: float = Field(default=5, gt=0, description="between two passes of the reconciler")
    order_worker_grace_seconds: float = Field(default=10, ge=0, description="after its deadline an order is left alone")
    order_worker_trim_seconds: float = Field(default=600, gt=0, description="between two looks for what can be trimmed")
    # Longer than a request_id is remembered (24 h): until then a retry may ask about its reservation.
    order_worker_trim_hours: float = Field(default=25, gt=0, description="reservations of orders ended so long go")
    order_worker_sweep_seconds: float = Field(default=5, gt=0, description="between two passes of the sweeper")
    order_worker_overdue_seconds: float = Field(default=30, gt=0, description="CREATED without a payment step so long")
    order_worker_watchers: int = Field(default=2000, ge=1, le=20_000, description="orders watched at once, a process")
    order_worker_analytics: int = Field(default=1, ge=1, le=8, description="sellers' queries at once, a process")
    # 1,000 GetOrder at once were all answered within 1.4 s, of the 2 s of their route. Streams are watchers.
    order_serve_rpcs: int = Field(default=1000, ge=1, description="unary RPCs at once, a process; past it: OVERLOADED")

    @property
    def cancel_seconds(self) -> float:
        """A settled order can be cancelled so long: with a tenth left before its reservation may be trimmed."""
        return 0.9 * self.order_worker_trim_hours * 3600
