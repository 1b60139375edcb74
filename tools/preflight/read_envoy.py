"""Envoy's admin port."""

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from meshkit.http import fetch
from meshkit.settings import ProcessSettings
from tools.preflight.facts import Certificate, EnvoyFacts


async def read_envoy(settings: ProcessSettings, without: Collection[int] = ()) -> EnvoyFacts:
    """`without`: ports of hosts that nobody misses. Raises OSError, ValueError."""
    pages = ("/clusters?format=json", "/runtime?format=json", "/certs")
    clusters, runtime, certificates = [
        json.loads(await asyncio.to_thread(fetch, settings.ports["admin"], page)) for page in pages
    ]
    hosts = {each["name"]: _hosts(each, without) for each in clusters["cluster_statuses"]}
    return EnvoyFacts(
        clusters={name: found for name, found in hosts.items() if found[1] > 0},
        faults=_faults(runtime.get("entries", {})),
        certificates=served_certificates(certificates.get("certificates", [])),
    )


def _hosts(cluster: Mapping[str, Any], without: Collection[int]) -> tuple[int, int]:
    """Healthy, and all."""
    statuses = [each for each in cluster.get("host_statuses", []) if _port(each) not in without]
    failed = [any(name.startswith("failed_") for name in each.get("health_status", {})) for each in statuses]
    return failed.count(False), len(failed)


def _port(host: Mapping[str, Any]) -> int:
    port: int = host["address"]["socket_address"]["port_value"]
    return port


def _faults(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    found = {key: str(entry.get("final_value", "0")) for key, entry in entries.items() if key.endswith("_percent")}
    return {key: value for key, value in found.items() if key.startswith("chaos.") and value not in ("", "0")}


def served_certificates(certificates: Sequence[Mapping[str, Any]]) -> dict[str, Certificate]:
    """From Envoy's `/certs`; it says 0 days of one that has expired."""
    parts = [part for each in certificates for kind in ("ca_cert", "cert_chain") for part in each.get(kind, [])]
    return {part.get("path", "?"): Certificate(float(part["days_until_expiration"])) for part in parts}
