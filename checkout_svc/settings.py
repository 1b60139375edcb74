"""Settings of checkout_svc."""

from pydantic import Field

from meshkit.settings import ProcessSettings


class Settings(ProcessSettings):
    accept_window_ms: float = Field(default=2, ge=0, description="taps collected into one script call")
    accept_budget_ms: int = Field(default=1000, gt=0, description="from the call to its answer; past it: PENDING")
    accept_most: int = Field(default=2000, gt=0, description="orders in progress at once; past it: OVERLOADED")
    # At 900 orders a second the last of them is answered within the 3 s of its route; 1,500 at once took 1.3 s.
    checkout_rpcs: int = Field(default=2500, ge=1, description="unary RPCs at once; past it: OVERLOADED")
    promotion_budget_ms: int = Field(default=50, gt=0, description="for a quote; past it: list price")
    # Two processes together ask as much at once as Envoy lets through: 64 calls.
    promotion_at_once: int = Field(default=32, ge=3, description="quotes under way at once; past it: list price")
    order_deadline_seconds: float = Field(default=600, gt=0, description="an order unpaid so long expires")
    relay_age_ms: int = Field(default=2000, gt=0, description="the outbox entries that the relay takes for forgotten")
    consent_ms: int = Field(default=30_000, gt=0, description="a PENDING order unasked for so long is cancelled")
    cart_seconds: int = Field(default=7 * 86_400, gt=0, description="a cart unchanged so long is gone")
    cart_lines: int = Field(default=50, gt=0, le=50, description="lines a cart may have; each is an order")
    cart_units: int = Field(default=100, gt=0, le=100, description="units a line may have; an order takes 100")
    egress_target: str = Field(default="", description="where promotions are reached; Envoy's egress when empty")

    @property
    def egress(self) -> str:
        return self.egress_target or f"127.0.0.1:{self.ports['egress']}"
