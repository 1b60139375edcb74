"""Topics as declared data: what is missing is made, what differs is refused by name."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError

from meshkit.log import get_logger

log = get_logger(__name__)


class TopicsDiffer(Exception):
    """A topic on the broker is not as declared; the message names it and what differs."""


_DAY_MS = 24 * 3600 * 1000
REPLICAS = 3
# An acknowledged record is then on two brokers, and one of the three may be lost with its disk.
IN_SYNC = 2


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must be. Retention outlives the longest outage of its consumer.

    Replication is three, or as many as there are brokers; with three, two must have a record before it is acknowledged.
    """

    name: str
    partitions: int = 4
    retention_ms: int = 7 * _DAY_MS


async def ensure_topics(bootstrap: str, specs: Sequence[TopicSpec], unsafe: bool = False) -> list[str]:
    """Makes what is missing and returns its names. Raises TopicsDiffer, as check_topics does."""
    async with _admin(bootstrap) as admin:
        missing = await _check(admin, specs, unsafe)
        if missing:
            await _create(admin, missing)
        return [spec.name for spec in missing]


async def check_topics(bootstrap: str, specs: Sequence[TopicSpec], unsafe: bool = False) -> None:
    """Raises TopicsDiffer where a topic that exists is not as declared; with `unsafe`, what could lose records is
    logged instead. What is missing is no fault: `ensure_topics` makes it."""
    async with _admin(bootstrap) as admin:
        await _check(admin, specs, unsafe)


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _check(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], unsafe: bool) -> list[TopicSpec]:
    """Those that are missing."""
    there = set(await admin.list_topics())
    await _compare(admin, [spec for spec in specs if spec.name in there], unsafe)
    return [spec for spec in specs if spec.name not in there]


async def _brokers(admin: AIOKafkaAdminClient) -> int:
    return len((await admin.describe_cluster())["brokers"])


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    replicas = min(REPLICAS, await _brokers(admin))
    wanted = [
        NewTopic(spec.name, spec.partitions, replicas, topic_configs=topic_config(spec, replicas)) for spec in specs
    ]
    response = await admin.create_topics(wanted)
    for name, code, *_ in response.topic_errors:
        # Another process made it a moment ago.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise TopicsDiffer(f"topic {name} could not be made: Kafka error {code}")


def topic_config(spec: TopicSpec, replicas: int) -> dict[str, str]:
    """What a topic is made with."""
    config = {"retention.ms": str(spec.retention_ms)}
    return config | {"min.insync.replicas": str(IN_SYNC)} if replicas >= REPLICAS else config


async def _compare(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec], unsafe: bool) -> None:
    if not specs:
        return
    brokers = await _brokers(admin)
    described = await admin.describe_topics([spec.name for spec in specs])
    partitions = {each["topic"]: len(each["partitions"]) for each in described}
    config = await read_config(admin, [spec.name for spec in specs])
    refused = [f"{spec.name}: {what}" for spec in specs for what in misshapen(spec, partitions.get(spec.name, 0))]
    losing = [f"{spec.name}: {what}" for spec in specs for what in losses(spec, config.get(spec.name, {}), brokers)]
    for each in losing if unsafe else []:
        log.warning("unsafe server accepted", reason=each)
    if refused or (losing and not unsafe):
        raise TopicsDiffer("; ".join(refused + ([] if unsafe else losing)))


async def read_config(admin: AIOKafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    """Each topic's settings, the brokers' defaults among them."""
    found: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names]):
        for _, _, _, name, entries in response.resources:
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


def misshapen(spec: TopicSpec, partitions: int) -> list[str]:
    return [] if partitions == spec.partitions else [f"partitions is {partitions}, declared {spec.partitions}"]


def losses(spec: TopicSpec, config: Mapping[str, str], brokers: int) -> list[str]:
    """What of its settings could lose records, in words."""
    found = []
    kept_ms = int(config.get("retention.ms", 0))
    # Longer is safe and -1 is for ever; shorter loses orders in an outage.
    if 0 <= kept_ms < spec.retention_ms:
        found.append(f"retention.ms is {kept_ms}, declared {spec.retention_ms} at least")
    in_sync = int(config.get("min.insync.replicas", 1))
    # With fewer than three brokers, two in sync would refuse every order as soon as one is down.
    if brokers >= REPLICAS and in_sync < IN_SYNC:
        found.append(f"min.insync.replicas is {in_sync}, must be {IN_SYNC} at least with {brokers} brokers")
    return found
