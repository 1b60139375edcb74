"""A Kafka that acknowledges, loses acks, stays silent or refuses, as a test tells it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError

from meshkit.kafka.publisher import Headers
from peakmesh.event.v1.events_pb2 import AcceptedOrder, OrderIntake


class Acks(Enum):
    AT_ONCE = "written and acknowledged"
    LOST = "written, and the ack lost"
    SILENT = "neither acknowledged nor refused until `wake`"
    REFUSED = "not written"


def _nothing() -> None:
    """The default hook."""


@dataclass
class FakePublisher:
    """`log` is what Kafka has, in order; `headers` what came with each publication. `before` runs at each."""

    acks: Acks = Acks.AT_ONCE
    log: list[OrderIntake] = field(default_factory=list)
    before: Callable[[], None] = _nothing
    headers: list[dict[str, bytes]] = field(default_factory=list)
    _silent: list[tuple[OrderIntake, asyncio.Future[Any]]] = field(default_factory=list)

    async def publish(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> asyncio.Future[Any]:
        self.before()
        self.headers.append(dict(headers))
        ack: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        message = OrderIntake.FromString(value)
        match self.acks:
            case Acks.AT_ONCE:
                self.log.append(message)
                ack.set_result(None)
            case Acks.LOST:
                self.log.append(message)
                ack.set_exception(KafkaTimeoutError())
            case Acks.SILENT:
                self._silent.append((message, ack))
            case Acks.REFUSED:
                raise KafkaConnectionError
        return ack

    def wake(self) -> None:
        """What was silent is written and acknowledged now, late as it may be."""
        for message, ack in self._silent:
            self.log.append(message)
            ack.set_result(None)
        self._silent.clear()
        self.acks = Acks.AT_ONCE

    def accepted(self) -> list[AcceptedOrder]:
        return [message.accepted for message in self.log if message.HasField("accepted")]

    def cancelled(self) -> list[AcceptedOrder]:
        return [message.cancelled.order for message in self.log if message.HasField("cancelled")]
