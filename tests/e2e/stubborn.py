"""A client that asks until it knows."""

from meshkit.errors import DeadlinePassed, DependencyUnavailable
from peakmesh.checkout.v1 import checkout_service_pb2 as checkout
from tests.e2e.shop import OpenSale, Shop
from tests.polling import eventually


async def persist(shop: Shop, user: str, sale: OpenSale) -> tuple[str, list[int]]:
    """Buys as a stubborn client does: the same request_id until QUEUED. Returns the order and every answer."""
    request = shop.request(sale)
    answers: list[int] = []
    order_ids: set[str] = set()

    async def queued() -> bool:
        try:
            answer = await shop.send(user, request, timeout=5)
        except (DependencyUnavailable, DeadlinePassed):
            return False
        answers.append(answer.acceptance)
        order_ids.add(answer.order_id)
        return answer.acceptance == checkout.ACCEPTANCE_QUEUED

    await eventually(queued, within=60, every=0.3)
    assert len(order_ids) == 1
    return order_ids.pop(), answers
