"""A topic's settings on the real broker, changed for a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from meshkit.kafka.topics import read_config
from tests.polling import eventually


@asynccontextmanager
async def topic_config(
    bootstrap: str, topic: str, changed: dict[str, str], usual: dict[str, str]
) -> AsyncIterator[None]:
    """Puts `usual` back, whatever happens. Each is all that the topic sets itself: Kafka replaces the whole."""
    await _alter(bootstrap, topic, changed)
    try:
        yield
    finally:
        await _alter(bootstrap, topic, usual)


async def _alter(bootstrap: str, topic: str, config: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        for response in await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=config)]):
            for code, message, *_ in response.resources:
                assert code == 0, message
        # The broker answers before it has taken over what it was told.
        await eventually(partial(_is, admin, topic, config))
    finally:
        await admin.close()


async def _is(admin: AIOKafkaAdminClient, topic: str, config: dict[str, str]) -> bool:
    found = (await read_config(admin, [topic]))[topic]
    return all(found[name] == value for name, value in config.items())
