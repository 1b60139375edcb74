"""The offers on sale or announced, page by page."""

from dataclasses import dataclass

from checkout_svc.catalog import Catalog
from checkout_svc.on_sale import OffersOnSale, OnSale


@dataclass(frozen=True, slots=True)
class OfferPage:
    """`names` by SKU. `last`: the offer_no that the next page begins behind; None: there is no more."""

    offers: list[OnSale]
    names: dict[str, str]
    last: int | None


class ListOffers:
    def __init__(self, on_sale: OffersOnSale, catalog: Catalog) -> None:
        self._on_sale, self._catalog = on_sale, catalog

    async def __call__(self, sale_id: str, size: int, after: int) -> OfferPage:
        """Raises Overloaded."""
        behind = [each for each in self._on_sale.known() if each.offer.offer_no > after]
        found = [each for each in behind if sale_id in ("", each.offer.sale_id)]
        page = found[:size]
        names = await self._catalog.names([each.offer.sku for each in page])
        return OfferPage(page, names, page[-1].offer.offer_no if len(found) > size else None)
