"""RecommendationService: protos to the use case and back."""

from collections.abc import Callable
from typing import Any

from engagement_svc.recommend import Recommend, Recommended
from meshkit.money import from_minor
from meshkit.rpc.edge import caller
from meshkit.rpc.times import timestamp
from peakmesh.engagement.v1 import recommendation_service_pb2 as pb
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as rpc


class RecommendationServicer(rpc.RecommendationServiceServicer):
    """`trained_ms`: Unix milliseconds, 0 where there is no model yet."""

    def __init__(self, recommend: Recommend, trained_ms: Callable[[], int]) -> None:
        self._recommend, self._trained_ms = recommend, trained_ms

    async def Recommend(self, request: pb.RecommendRequest, _context: Any) -> pb.RecommendResponse:
        found = await self._recommend(caller().user_id, request.page_size)
        answer = pb.RecommendResponse(recommendations=[_message(each) for each in found])
        if trained_ms := self._trained_ms():
            answer.model_time.CopyFrom(timestamp(trained_ms))
        return answer


def _message(each: Recommended) -> pb.Recommendation:
    together, best = pb.RECOMMENDATION_REASON_BOUGHT_TOGETHER, pb.RECOMMENDATION_REASON_BEST_SELLER
    return pb.Recommendation(
        sku=each.product.sku,
        name=each.product.name,
        unit_price=from_minor(each.product.price_minor, each.product.currency),
        reason=together if each.pick.because else best,
        because_sku=each.pick.because,
    )
