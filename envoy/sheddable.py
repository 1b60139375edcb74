"""What the shop can do without for a while, as data: each of these RPCs has a route, a rate and a low priority."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Sheddable:
    """`per_second` calls go through and `burst` at once; the others are told when to come again. `seconds`: the route's
    time-out. `most_bytes`: of a message, where it may be larger than the others'."""

    rpc: str
    cluster: str
    seconds: int
    per_second: int
    burst: int
    retried: bool = False
    most_bytes: int = 0

    @property
    def name(self) -> str:
        return self.rpc.rsplit("/", 1)[1]


_PICTURE = 2 * 1024 * 1024 + 4096 + 5  # as engagement_svc takes it, and gRPC's frame

# Two cores that do nothing else list orders some 80 times a second: a storm may have a third of that. A seller's
# figures take the database up to 1.5 s, an avatar some ten ms of a core.
SHEDDABLE: Sequence[Sheddable] = (
    Sheddable("/peakmesh.order.v1.OrderService/ListOrders", "order", 2, 25, 50, retried=True),
    Sheddable("/peakmesh.order.v1.OrderService/GetSellerAnalytics", "order", 2, 5, 10, retried=True),
    Sheddable("/peakmesh.promotion.v1.PromotionService/ListVouchers", "vouchers", 2, 25, 50, retried=True),
    Sheddable("/peakmesh.engagement.v1.RecommendationService/Recommend", "engagement", 1, 25, 50),
    Sheddable("/peakmesh.engagement.v1.ProfileService/GetProfile", "engagement", 1, 25, 50),
    Sheddable("/peakmesh.engagement.v1.ProfileService/UpdateAvatar", "engagement", 5, 5, 20, most_bytes=_PICTURE),
)
