"""Topics as declared data: what is missing is made, what differs is refused by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import TopicAlreadyExistsError


class TopicsDiffer(Exception):
    """A topic on the broker is not as declared; the message names it and what differs."""


_DAY_MS = 24 * 3600 * 1000
REPLICAS = 3


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it must be. Retention outlives the longest outage of its consumer.

    Replication is three, or as many as there are brokers; `min.insync.replicas` is the brokers' own to say.
    """

    name: str
    partitions: int = 4
    retention_ms: int = 7 * _DAY_MS


async def ensure_topics(bootstrap: str, specs: Sequence[TopicSpec]) -> list[str]:
    """Makes what is missing and returns its names. Raises TopicsDiffer."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [spec for spec in specs if spec.name not in there]
        if missing:
            await _create(admin, missing)
        await _compare(admin, [spec for spec in specs if spec.name in there])
        return [spec.name for spec in missing]
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
    wanted = [
        NewTopic(spec.name, spec.partitions, replicas, topic_configs={"retention.ms": str(spec.retention_ms)})
        for spec in specs
    ]
    response = await admin.create_topics(wanted)
    for name, code, *_ in response.topic_errors:
        # Another process made it a moment ago.
        if code not in (0, TopicAlreadyExistsError.errno):
            raise TopicsDiffer(f"topic {name} could not be made: Kafka error {code}")


async def _compare(admin: AIOKafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    if not specs:
        return
    described = await admin.describe_topics([spec.name for spec in specs])
    partitions = {each["topic"]: len(each["partitions"]) for each in described}
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    config: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _, _, _, name, entries in response.resources:
            config[name] = {entry[0]: entry[1] for entry in entries}
    differing = [
        f"{spec.name}: {what}"
        for spec in specs
        for what in differences(spec, partitions.get(spec.name, 0), config.get(spec.name, {}))
    ]
    if differing:
        raise TopicsDiffer("; ".join(differing))


def differences(spec: TopicSpec, partitions: int, config: Mapping[str, str]) -> list[str]:
    """How a topic on the broker differs from its declaration, in words."""
    found = [] if partitions == spec.partitions else [f"partitions is {partitions}, declared {spec.partitions}"]
    kept_ms = int(config.get("retention.ms", 0))
    # Longer is safe and -1 is for ever; shorter loses orders in an outage.
    if 0 <= kept_ms < spec.retention_ms:
        found.append(f"retention.ms is {kept_ms}, declared {spec.retention_ms} at least")
    return found
