"""The configuration as data: what listens where, who is reached by whom, and that the README says the same."""

import base64
from pathlib import Path
from typing import Any

from google.rpc.status_pb2 import Status

import envoy
from envoy import hops
from envoy.edge_status import BAD_HEADERS, REPLIES
from envoy.public_api import bindings
from envoy.render import write
from envoy.settings import Settings
from kernel.features import features
from meshkit.errors import Overloaded, Unauthenticated
from meshkit.ports import Ports
from meshkit.rpc.status import from_status
from tests.unit.envoy.rendered import filters, manager, routes

LISTENERS = ("gateway", "operators", "egress", *hops.LISTENERS)


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
