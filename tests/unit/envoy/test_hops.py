"""Where calls may be harmed: behind the breaker, on each process' own hop, by runtime keys alone."""

import re
from typing import Any

import pytest
import yaml

from envoy import hops
from envoy.fault_targets import TARGETS
from meshkit.ports import Ports
from tests.unit.envoy.rendered import cluster, filters, manager, ports_of, routes


def test_faults_are_injected_behind_the_breaker_and_never_on_its_listener(config: dict[str, Any]) -> None:
    assert filters(config, "egress") == ["router"]
    for listener in hops.LISTENERS:
        assert filters(config, listener) == ["fault", "router"]
    inbound = {name: [hop.name for hop in hops.HOPS[name]] for name in ("engagement", "promo")}
    inbound |= {name: ["provider_inbound"] for name in hops.PROVIDERS}
    for name, listeners in inbound.items():
        assert ports_of(cluster(config, name)) == [Ports(700)[hop] for hop in listeners]
        assert cluster(config, name)["outlier_detection"]["max_ejection_percent"] == 100


HARMED = {
    "engagement": ["/peakmesh.engagement.v1."],
    "order": ["/peakmesh.order.v1.OrderService/"],
    "promo": ["/peakmesh.promotion.v1."],
    "provider": [f"/peakmesh.provider.v1.{service}/" for service in hops.PROVIDERS.values()],
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
