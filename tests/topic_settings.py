"""A topic's settings on the real broker, changed for a while."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


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
    finally:
        await admin.close()
