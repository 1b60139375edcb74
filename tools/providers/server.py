"""The synchronous gRPC server of the sandbox: composition root, and the life of its process."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from py_grpc_prometheus.prometheus_server_interceptor import PromServerInterceptor

from meshkit.log import get_logger, setup_logging
from meshkit.metrics import READY, metrics_endpoint
from meshkit.rpc.server import server_options
from meshkit.settings import load
from peakmesh.provider.v1 import (
    invoice_service_pb2_grpc,
    loyalty_service_pb2_grpc,
    shipping_service_pb2_grpc,
    wallet_service_pb2_grpc,
)
from tools.providers.bounded import Bounded, CountedThreads
from tools.providers.edge import SyncEdge
from tools.providers.faults import Faults
from tools.providers.invoice import InvoiceServicer
from tools.providers.journal import Journal
from tools.providers.knobs import KnobFile
from tools.providers.loyalty import LoyaltyServicer
from tools.providers.settings import Settings
from tools.providers.shipping import ShippingServicer
from tools.providers.wallet import Wallet
from tools.providers.wallet_servicer import WalletServicer

log = get_logger(__name__)
SERVICES = tuple(f"peakmesh.provider.v1.{name}Service" for name in ("Wallet", "Shipping", "Invoice", "Loyalty"))
_GRACE_SECONDS = 5.0
_MAX_REQUEST_BYTES = 1024 * 1024  # SetBalance of 10,000 users with ids of 64 characters


@contextmanager
def running(settings: Settings) -> Iterator[int]:
    """Serves until the block is left; yields the port. Raises ValueError on bad knobs, before it listens."""
    knobs = KnobFile(settings.knobs)
    journal = Journal(settings.journal)
    try:
        with _metrics(settings.ports["providers_metrics"]) as registry:
            server = _server(settings, knobs, journal, registry)
            checks = health.HealthServicer()
            health_pb2_grpc.add_HealthServicer_to_server(checks, server)
            port = server.add_insecure_port(f"127.0.0.1:{settings.ports['providers']}")
            server.start()
            for service in ("", *SERVICES):
                checks.set(service, health_pb2.HealthCheckResponse.SERVING)
            READY.set(1)
            try:
                yield port
            finally:
                READY.set(0)
                checks.enter_graceful_shutdown()
                time.sleep(settings.drain_seconds)
                server.stop(_GRACE_SECONDS).wait()
    finally:
        journal.close()


def _server(settings: Settings, knobs: KnobFile, journal: Journal, registry: CollectorRegistry) -> grpc.Server:
    metrics = PromServerInterceptor(enable_handling_time_histogram=True, registry=registry)
    threads = CountedThreads(settings.sandbox_threads)
    interceptors = [Bounded(metrics, threads, settings.sandbox_rpcs), metrics, SyncEdge(Faults(knobs))]
    server = grpc.server(threads, interceptors=interceptors, options=server_options(_MAX_REQUEST_BYTES))
    wallet = Wallet(journal, settings.sandbox_opening_minor, knobs.declines)
    wallet_service_pb2_grpc.add_WalletServiceServicer_to_server(WalletServicer(wallet), server)
    shipping_service_pb2_grpc.add_ShippingServiceServicer_to_server(ShippingServicer(journal, knobs.collected), server)
    invoice_service_pb2_grpc.add_InvoiceServiceServicer_to_server(InvoiceServicer(journal), server)
    loyalty_service_pb2_grpc.add_LoyaltyServiceServicer_to_server(LoyaltyServicer(journal), server)
    reflection.enable_server_reflection((*SERVICES, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
    return server


@contextmanager
def _metrics(port: int) -> Iterator[CollectorRegistry]:
    """A registry of this server's own: the interceptor declares its metrics anew for every server it is made for."""
    registry = CollectorRegistry()
    registry.register(READY)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    with metrics_endpoint(port, registry):
        yield registry


def serve() -> None:
    """Runs until SIGTERM or SIGINT (status 0); what fails on the way ends it with status 1."""
    settings = load(Settings)
    setup_logging("providers", settings.log_level)
    stop = threading.Event()

    def ask_to_stop(_number: int, _frame: Any) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    try:
        with running(settings) as port:
            log.info("ready", port=port)
            stop.wait()
            log.info("stopping")
    except Exception:
        log.exception("process failed")
        raise SystemExit(1) from None
    log.info("stopped")
