"""Carrier, invoices and coins over a real channel."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.errors import InvalidFields, KeyBarred, KeyNotFound, PeakmeshError, Undecodable
from meshkit.money import from_minor
from meshkit.rpc.client import typed_error
from peakmesh.order.v1.order_pb2 import ShippingAddress
from peakmesh.provider.v1 import invoice_service_pb2 as invoice
from peakmesh.provider.v1 import loyalty_service_pb2 as loyalty
from peakmesh.provider.v1 import shipping_service_pb2 as shipping
from tests.component.providers.conftest import Sandbox
from tools.providers.server import SERVICES


def quote(order: str = "o1", country: str = "FR", grams: int = 2500) -> shipping.QuoteShippingRequest:
    address = ShippingAddress(recipient="Ann", street="Rue 1", city="Lyon", postal_code="69001", country_code=country)
    return shipping.QuoteShippingRequest(
        idempotency_key=f"{order}:quote", weight_grams=grams, address=address, currency_code="EUR"
    )


def refused(call: object, request: object) -> PeakmeshError:
    with pytest.raises(grpc.RpcError) as raised:
        call(request, timeout=5)  # type: ignore[operator]
    return typed_error(raised.value, "sandbox")


def test_a_parcel_is_quoted_and_booked_once(sandbox: Sandbox) -> None:
    answer = sandbox.shipping.QuoteShipping(quote(), timeout=5)
    assert (answer.zone, answer.price) == ("eu", from_minor(1290, "EUR"))
    assert sandbox.shipping.QuoteShipping(quote(), timeout=5) == answer
    assert isinstance(refused(sandbox.shipping.QuoteShipping, quote(grams=2501)), KeyBarred)
    book = shipping.BookShippingRequest(idempotency_key="o1:booking", quote_key="o1:quote")
    booked = sandbox.shipping.BookShipping(book, timeout=5).booking
    assert len(booked.tracking_number) == 13
    assert sandbox.shipping.BookShipping(book, timeout=5).booking == booked
    found = sandbox.shipping.GetBooking(shipping.GetBookingRequest(idempotency_key="o1:booking"), timeout=5)
    assert found.booking == booked
    unquoted = shipping.BookShippingRequest(idempotency_key="o2:booking", quote_key="o2:quote")
    assert isinstance(refused(sandbox.shipping.BookShipping, unquoted), KeyNotFound)


def test_invoices_issued_at_once_are_numbered_without_gaps(sandbox: Sandbox) -> None:
    def issue(n: int) -> int:
        request = invoice.IssueInvoiceRequest(
            idempotency_key=f"o{n}:invoice", user_id="ann", amount=from_minor(100 + n, "EUR")
        )
        first = sandbox.invoices.IssueInvoice(request, timeout=10).invoice
        assert sandbox.invoices.IssueInvoice(request, timeout=10).invoice == first
        return int(first.invoice_number)

    with ThreadPoolExecutor(16) as threads:
        assert sorted(threads.map(issue, range(60))) == list(range(1, 61))
    found = sandbox.invoices.GetInvoice(invoice.GetInvoiceRequest(idempotency_key="o7:invoice"), timeout=5)
    assert found.invoice.amount == from_minor(107, "EUR")
    unknown = invoice.GetInvoiceRequest(idempotency_key="o99:invoice")
    assert isinstance(refused(sandbox.invoices.GetInvoice, unknown), KeyNotFound)


def test_coins_are_granted_once(sandbox: Sandbox) -> None:
    request = loyalty.GrantCoinsRequest(idempotency_key="o1:coins", user_id="ann", amount=from_minor(12_345, "EUR"))
    grant = sandbox.loyalty.GrantCoins(request, timeout=5).grant
    assert grant.coins == 123
    assert sandbox.loyalty.GrantCoins(request, timeout=5).grant == grant
    request.user_id = "bob"
    assert isinstance(refused(sandbox.loyalty.GrantCoins, request), KeyBarred)
    found = sandbox.loyalty.GetGrant(loyalty.GetGrantRequest(idempotency_key="o1:coins"), timeout=5)
    assert found.grant == grant


def test_every_wrong_field_of_a_quote_is_named(sandbox: Sandbox) -> None:
    error = refused(sandbox.shipping.QuoteShipping, shipping.QuoteShippingRequest(weight_grams=-1))
    assert isinstance(error, InvalidFields)
    named = [field for field, _ in error.violations]
    parts = ["recipient", "street", "city", "postal_code", "country_code"]
    assert named == ["idempotency_key", "weight_grams", *(f"address.{part}" for part in parts), "currency_code"]


def test_bytes_that_are_no_request_are_undecodable(sandbox: Sandbox) -> None:
    raw: Callable[..., object] = sandbox.channel.unary_unary("/peakmesh.provider.v1.WalletService/Debit")
    assert isinstance(refused(raw, b"\xff\xff\xff"), Undecodable)


def test_health_and_metrics_tell_of_it(sandbox: Sandbox) -> None:
    health: Any = health_pb2_grpc.HealthStub(sandbox.channel)
    for service in ("", *SERVICES):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    sandbox.shipping.QuoteShipping(quote(), timeout=5)
    refused(sandbox.shipping.QuoteShipping, quote(grams=0))
    port = sandbox.settings.ports["providers_metrics"]
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    assert "peakmesh_ready 1.0" in text
    counted = [line for line in text.splitlines() if line.startswith("grpc_server_handled_total{")]
    for code in ("OK", "INVALID_ARGUMENT"):
        assert any(f'grpc_code="{code}",grpc_method="QuoteShipping"' in line for line in counted), counted
