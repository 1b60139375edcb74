"""Parts of the rendered configuration, looked up."""

from typing import Any


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
