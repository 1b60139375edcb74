"""What may be shed before what, as the rendered routes say it."""

from typing import Any

from envoy.public_api import bindings
from envoy.sheddable import SHEDDABLE
from meshkit.rpc import criticality, deadline
from tests.unit.envoy.rendered import manager, routes

CORE = (
    *(f"/peakmesh.checkout.v1.CheckoutService/{name}" for name in ("PlaceOrder", "CheckoutCart")),
    *(f"/peakmesh.checkout.v1.CartService/{name}" for name in ("AddItem", "UpdateItem", "RemoveItem", "GetCart")),
    "/peakmesh.checkout.v1.CartService/ClearCart",
    *(f"/peakmesh.checkout.v1.CatalogService/{name}" for name in ("SearchProducts", "GetProduct", "ListOffers")),
    *(f"/peakmesh.order.v1.OrderService/{name}" for name in ("GetOrder", "WatchOrder", "CancelOrder")),
)
LOCAL_RATE_LIMIT = "envoy.filters.http.local_ratelimit"


def route_of(config: dict[str, Any], rpc: str) -> Any:
    """The first that takes the call, as Envoy looks for it."""

    def takes(match: Any) -> bool:
        return bool(rpc == match.get("path") or rpc.startswith(match.get("prefix", "?")))

    return next(route for route in routes(config, "gateway") if takes(route["match"]))


def said(route: Any) -> dict[str, str]:
    added = route["request_headers_to_add"]
    assert {each["append_action"] for each in added} == {"OVERWRITE_IF_EXISTS_OR_ADD"}
    return {each["header"]["key"]: each["header"]["value"] for each in added}


def test_every_public_method_is_core_or_sheddable_and_its_route_says_so(config: dict[str, Any]) -> None:
    sheddable = {each.rpc: each for each in SHEDDABLE}
    assert {bound.rpc for bound in bindings()} == {*CORE, *sheddable}
    for rpc in (*CORE, *sheddable):
        route = route_of(config, rpc)
        told = {criticality.HEADER: "SHEDDABLE" if rpc in sheddable else "CORE"}
        seconds = float(route["route"]["timeout"].removesuffix("s"))
        told |= {deadline.HEADER: f"{seconds * 1000:.0f}"} if seconds else {}
        assert said(route) == told, rpc
        assert (route["route"].get("priority") == "HIGH") is (rpc in CORE), rpc
        assert (LOCAL_RATE_LIMIT in route.get("typed_per_filter_config", {})) is (rpc in sheddable), rpc
    assert {said(route)[criticality.HEADER] for route in routes(config, "operators")} == {"CORE"}


def test_a_client_can_say_neither(config: dict[str, Any]) -> None:
    for listener in ("gateway", "operators"):
        [strip] = manager(config, listener)["early_header_mutation_extensions"]
        matching = [each.get("remove_on_match", {}) for each in strip["typed_config"]["mutations"]]
        removed = [each["key_matcher"]["prefix"] for each in matching if "prefix" in each.get("key_matcher", {})]
        for header in (criticality.HEADER, deadline.HEADER):
            assert any(header.startswith(prefix) for prefix in removed)
