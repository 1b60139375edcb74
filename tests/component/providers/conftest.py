"""The real sandbox server on free ports, with books of its own."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest

from meshkit.ports import Ports
from peakmesh.provider.v1 import (
    invoice_service_pb2_grpc,
    loyalty_service_pb2_grpc,
    shipping_service_pb2_grpc,
    wallet_service_pb2_grpc,
)
from tools.providers.knobs import AllKnobs, write_knobs
from tools.providers.server import running
from tools.providers.settings import Settings


@dataclass(frozen=True)
class Sandbox:
    settings: Settings
    channel: grpc.Channel

    @property
    def wallet(self) -> wallet_service_pb2_grpc.WalletServiceStub:
        return wallet_service_pb2_grpc.WalletServiceStub(self.channel)

    @property
    def shipping(self) -> shipping_service_pb2_grpc.ShippingServiceStub:
        return shipping_service_pb2_grpc.ShippingServiceStub(self.channel)

    @property
    def invoices(self) -> invoice_service_pb2_grpc.InvoiceServiceStub:
        return invoice_service_pb2_grpc.InvoiceServiceStub(self.channel)

    @property
    def loyalty(self) -> loyalty_service_pb2_grpc.LoyaltyServiceStub:
        return loyalty_service_pb2_grpc.LoyaltyServiceStub(self.channel)

    def turn(self, knobs: AllKnobs) -> None:
        write_knobs(self.settings.knobs, knobs)


def free_base() -> int:
    """An offset at which both ports of the sandbox can be bound."""
    for base in range(5_003, 10_000, 7):
        try:
            for name in ("providers", "providers_metrics"):
                with socket.socket() as taken:
                    taken.bind(("127.0.0.1", Ports(base)[name]))
        except OSError:
            continue
        return base
    raise OSError("no free port for the sandbox")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    settings = Settings(port_base=free_base(), run_dir=tmp_path, drain_seconds=0, sandbox_opening_minor=10_000)
    with running(settings) as port, grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Sandbox(settings, channel)
