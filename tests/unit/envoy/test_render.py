"""The configuration as data: what listens where, who is reached by whom, and that the README says the same."""

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from google.rpc.status_pb2 import Status

import envoy
from envoy import hops
from envoy.edge_status import BAD_HEADERS, REPLIES
from envoy.fault_targets import TARGETS
from envoy.public_api import bindings
from envoy.render import PROVIDERS, render, write
from envoy.settings import Settings
from envoy.sheddable import SHEDDABLE
from kernel.features import features
from meshkit.errors import Overloaded, Unauthenticated
from meshkit.ports import Ports
from meshkit.rpc import criticality, deadline
from meshkit.rpc.status import from_status

LISTENERS = ("gateway", "operators", "egress", *hops.LISTENERS)


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    parsed = yaml.safe_load(render(Settings(port_base=700, run_dir=Path("somewhere"))))
    assert isinstance(parsed, dict)
    return parsed


def manager(config: dict[str, Any], listener: str) -> Any:
    found = next(each for each in config["static_resources"]["listeners"] if each["name"] == listener)
    return found["filter_chains"][0]["filters"][0]["typed_config"]


def routes(config: dict[str, Any], listener: str) -> list[Any]:
    """Those that lead to a cluster; the rest Envoy answers itself, or routes again once it is gRPC."""
    hosts = manager(config, listener)["route_config"]["virtual_hosts"]
    return [route for host in hosts for route in host["routes"] if "cluster" in route.get("route", {})]


def filters(config: dict[str, Any], listener: str) -> list[str]:
    return [each["name"].removeprefix("envoy.filters.http.") for each in manager(config, listener)["http_filters"]]


def cluster(config: dict[str, Any], name: str) -> Any:
    return next(each for each in config["static_resources"]["clusters"] if each["name"] == name)


def ports_of(target: Any) -> list[int]:
    hosts = target["load_assignment"]["endpoints"][0]["lb_endpoints"]
    return [host["endpoint"]["address"]["socket_address"]["port_value"] for host in hosts]


def test_every_listener_is_on_loopback_and_on_its_moved_port(config: dict[str, Any]) -> None:
    found = {each["name"]: each["address"]["socket_address"] for each in config["static_resources"]["listeners"]}
    assert {name: each["port_value"] for name, each in found.items()} == {name: Ports(700)[name] for name in LISTENERS}
    assert {each["address"] for each in found.values()} == {"127.0.0.1"}
    assert config["admin"]["address"]["socket_address"] == {"address": "127.0.0.1", "port_value": Ports(700)["admin"]}


def test_the_public_door_has_no_route_to_operators_quotes_or_providers(config: dict[str, Any]) -> None:
    assert {route["route"]["cluster"] for route in routes(config, "gateway")} == {
        "checkout",
        "engagement",
        "order",
        "vouchers",
    }
    promotion = [route["match"] for route in routes(config, "gateway") if "promotion" in str(route["match"])]
    assert promotion == [{"path": "/peakmesh.promotion.v1.PromotionService/ListVouchers"}]
    assert {route["route"]["cluster"] for route in routes(config, "operators")} == {"governor", "order"}
    prefixes = {route["match"].get("prefix", "none") for route in routes(config, "gateway")}
    assert not any("/peakmesh.order.v1.OrderOpsService/".startswith(prefix) for prefix in prefixes)


def test_identity_is_checked_before_anything_is_counted_or_routed(config: dict[str, Any]) -> None:
    assert filters(config, "gateway") == [
        *("cors", "grpc_web", "jwt_authn", "buffer", "lua", "grpc_json_transcoder", "local_ratelimit"),
        *("grpc_stats", "router"),
    ]
    assert filters(config, "operators") == ["jwt_authn", "buffer", "grpc_stats", "router"]


def test_every_public_rpc_has_a_route_as_grpc(config: dict[str, Any]) -> None:
    """Where its JSON goes once it is transcoded."""
    matches = [route["match"] for route in routes(config, "gateway")]

    def has_route(rpc: str) -> bool:
        return any(rpc == match.get("path") or rpc.startswith(match.get("prefix", "?")) for match in matches)

    lost = [bound.rpc for bound in bindings() if not has_route(bound.rpc)]
    assert lost == []


def test_a_grpc_call_does_not_meet_the_json_filter(config: dict[str, Any]) -> None:
    [lua] = [each for each in manager(config, "gateway")["http_filters"] if each["name"].endswith(".lua")]
    assert lua["disabled"] is True
    hosts = manager(config, "gateway")["route_config"]["virtual_hosts"]
    meeting = [
        route["match"]
        for host in hosts
        for route in host["routes"]
        if "envoy.filters.http.lua" in route.get("typed_per_filter_config", {})
    ]
    assert meeting == [{"path": "/v1/profile/avatar"}, {"prefix": "/v1/"}]


def test_faults_are_injected_behind_the_breaker_and_never_on_its_listener(config: dict[str, Any]) -> None:
    assert filters(config, "egress") == ["router"]
    for listener in hops.LISTENERS:
        assert filters(config, listener) == ["fault", "router"]
    inbound = {name: [hop.name for hop in hops.HOPS[name]] for name in ("engagement", "promo")}
    inbound |= {name: ["provider_inbound"] for name in PROVIDERS}
    for name, listeners in inbound.items():
        assert ports_of(cluster(config, name)) == [Ports(700)[hop] for hop in listeners]
        assert cluster(config, name)["outlier_detection"]["max_ejection_percent"] == 100


HARMED = {
    "engagement": ["/peakmesh.engagement.v1."],
    "order": ["/peakmesh.order.v1.OrderService/"],
    "promo": ["/peakmesh.promotion.v1."],
    "provider": [f"/peakmesh.provider.v1.{service}/" for service in PROVIDERS.values()],
}


@pytest.mark.parametrize("kind", hops.HOPS)
def test_each_process_has_a_hop_of_its_own_where_calls_are_harmed_and_health_is_not(
    config: dict[str, Any], kind: str
) -> None:
    for hop in hops.HOPS[kind]:
        assert ports_of(cluster(config, hop.app)) == [Ports(700)[hop.port]]
        found = routes(config, hop.name)
        assert {route["route"]["cluster"] for route in found} == {hop.app}
        harmed = [route["match"]["prefix"] for route in found if "typed_per_filter_config" in route]
        assert harmed == HARMED[kind]
        assert ("/grpc.health.v1.Health/" in [route["match"]["prefix"] for route in found]) is (kind != "provider")


PAIRS = {
    "checkout": ("checkout_0", "checkout_1"),
    "order": ("order_inbound_0", "order_inbound_1"),
    "vouchers": ("promo", "promo_1"),
    "promo": ("promo_inbound", "promo_inbound_1"),
    "engagement": ("engagement_inbound", "engagement_inbound_1"),
    "governor": ("governor", "governor_1"),
}


def test_where_there_may_be_two_each_is_asked_whether_it_is_there(config: dict[str, Any]) -> None:
    clusters = config["static_resources"]["clusters"]
    found = {each["name"]: ports_of(each) for each in clusters if len(ports_of(each)) > 1}
    assert found == {name: [Ports(700)[port] for port in ports] for name, ports in PAIRS.items()}
    assert {each["name"] for each in clusters if "health_checks" in each} == set(PAIRS)


def test_streams_to_a_frozen_governor_end_and_begin_anew(config: dict[str, Any]) -> None:
    [flags] = [route for route in routes(config, "egress") if route["name"] == "flags"]
    action = flags["route"]
    assert (action["cluster"], action["timeout"], action["idle_timeout"]) == ("governor", "0s", "0s")
    [protocol] = cluster(config, "governor")["typed_extension_protocol_options"].values()
    http2 = protocol["explicit_http_config"]["http2_protocol_options"]
    assert http2["connection_keepalive"] == {"interval": "1s", "timeout": "1s"}


def test_no_listener_takes_faults_from_headers(config: dict[str, Any]) -> None:
    text = yaml.safe_dump(config["static_resources"]["listeners"])
    assert "header_delay" not in text
    assert "header_abort" not in text
    for listener in ("gateway", "operators"):
        assert "x-envoy-" in yaml.safe_dump(manager(config, listener)["early_header_mutation_extensions"])


def test_every_faults_runtime_keys_have_a_harmless_base(config: dict[str, Any]) -> None:
    base = config["layered_runtime"]["layers"][0]["static_layer"]
    text = yaml.safe_dump(config["static_resources"])
    assert set(re.findall(r"chaos\.[a-z.]+_[a-z]+", text)) == {key for key in base if key.startswith("chaos.")}
    assert all(value == 0 for key, value in base.items() if key.endswith("_percent") and key.startswith("chaos."))
    assert {key.split(".")[1] for key in base if key.startswith("chaos.")} == set(TARGETS)


def test_no_route_uses_max_stream_duration_which_the_breaker_does_not_count(config: dict[str, Any]) -> None:
    assert "max_stream_duration" not in yaml.safe_dump(config)


def test_the_edge_speaks_the_services_errors() -> None:
    for reply in REPLIES.values():
        assert "=" not in reply.details
    status = Status.FromString(base64.b64decode(REPLIES["unauthenticated"].details + "=="))
    assert isinstance(from_status(status, "gateway"), Unauthenticated)
    assert (status.code, status.message) == (16, REPLIES["unauthenticated"].message)
    overloaded = from_status(Status.FromString(base64.b64decode(REPLIES["overloaded"].details + "==")), "gateway")
    assert isinstance(overloaded, Overloaded)
    assert overloaded.retry_after == 1.0


def test_the_readme_tells_the_routes_as_they_are(config: dict[str, Any]) -> None:
    readme = (Path(str(envoy.__path__[0])) / "README.md").read_text()
    readme = readme.replace(" (exactly)", "")
    told = {tuple(cell.strip(" `") for cell in line.split("|")[1:6]) for line in readme.splitlines() if "| `/" in line}
    real = set()
    for listener in LISTENERS:
        for route in routes(config, listener):
            action = route["route"]
            retry = action.get("retry_policy", {}).get("retry_on", "none").replace(",", ", ")
            seconds = float(action["timeout"].removesuffix("s"))
            [path] = route["match"].values()
            real.add((path, listener, action["cluster"], f"{seconds:g} s", retry))
    assert told == real


def test_what_is_off_is_answered_before_its_route_in_both_languages(config: dict[str, Any]) -> None:
    every = [
        route
        for host in manager(config, "gateway")["route_config"]["virtual_hosts"]
        for route in host["routes"]
        if not route.get("name", "").endswith("-refused")
    ]
    answered = [route for route in every if "runtime_fraction" in route["match"]]
    assert every[: len(answered)] == answered
    told = {(route["match"]["path"], route["match"]["headers"][0]["present_match"]) for route in answered}
    assert told == {(rpc, json) for each in features().values() for rpc in each.rpcs for json in (True, False)}
    assert all(route["match"]["runtime_fraction"]["default_value"]["numerator"] == 0 for route in answered)


def test_what_grpc_cannot_read_is_refused_at_both_doors_before_anything_is_routed(config: dict[str, Any]) -> None:
    for listener in ("gateway", "operators"):
        [host] = manager(config, listener)["route_config"]["virtual_hosts"]
        refused = [each["name"] for each in host["routes"][: len(BAD_HEADERS)]]
        assert refused == [f"{header}-refused" for header in BAD_HEADERS]


def test_a_request_has_its_time_at_both_doors(config: dict[str, Any]) -> None:
    assert [manager(config, door)["request_timeout"] for door in ("gateway", "operators")] == ["30.0s", "30.0s"]


def test_callers_that_share_a_connection_share_no_header_table(config: dict[str, Any]) -> None:
    for each in config["static_resources"]["clusters"]:
        [options] = each["typed_extension_protocol_options"].values()
        assert options["explicit_http_config"]["http2_protocol_options"]["hpack_table_size"] == 0, each["name"]


def test_the_governors_last_word_outlives_a_start_of_envoy(tmp_path: Path) -> None:
    settings = Settings(port_base=700, run_dir=tmp_path)
    write(settings, tmp_path / "envoy.yaml")
    assert "feature_off.purchase-history" in settings.toggles_file.read_text()
    settings.toggles_file.write_text("its last word")
    write(settings, tmp_path / "envoy.yaml")
    assert settings.toggles_file.read_text() == "its last word"


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
