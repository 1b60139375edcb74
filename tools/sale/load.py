"""A crowd's buyers and their split over generator processes."""

from pathlib import Path
from uuid import UUID

from meshkit.identity import Role, TokenIssuer
from peakmesh.ops.v1.ops_service_pb2 import Sale
from tools.sale.spec import Buyer, LoadSpec

VOUCHER = "WELCOME10"


def buyers(issuer: TokenIssuer, sale_id: str, times: list[float], vouchers: float, seed: int) -> list[Buyer]:
    """One buyer a time, each another user with a request_id and a token of their own, made before the clock runs."""
    every = round(1 / vouchers) if vouchers else 0
    return [
        Buyer(
            user=(user := f"{sale_id[-6:]}-b{number:07d}"),
            token=issuer.issue(user, Role.BUYER),
            # Version 8 by hand: made from the seed and the place, so that a run can be told again.
            request_id=str(UUID(int=(seed << 64) | (8 << 76) | (0x8 << 60) | number)),
            at=at,
            voucher=VOUCHER if every and number % every == 0 else "",
        )
        for number, at in enumerate(times)
    ]


def split(target: str, sale: Sale, crowd: list[Buyer], start: float, processes: int, folder: Path) -> list[LoadSpec]:
    """Every process gets each n-th buyer, so that all send at an even share of the rate."""
    return [
        LoadSpec(
            target=target,
            sale_id=sale.sale_id,
            sku=sale.offers[0].sku,
            price_version=sale.offers[0].price_version,
            start=start,
            history=str(folder / f"history-{number}.jsonl"),
            buyers=crowd[number::processes],
        )
        for number in range(processes)
    ]
