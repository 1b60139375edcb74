"""What an operator is told of stuck orders while a server is away."""

import socket

import pytest

from meshkit.errors import DependencyUnavailable
from meshkit.settings import ProcessSettings
from tools.audit.dead_letters import open_letters


async def test_a_kafka_that_is_away_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(DependencyUnavailable, match="kafka") as raised:
        await open_letters(ProcessSettings(kafka_bootstrap=nobody))
    assert raised.value.dependency == "kafka"
