"""The providers' gRPC services, through Envoy's egress."""

import time
from collections.abc import Callable
from typing import Any

import grpc

from kernel.payment_steps import (
    BOOKING,
    COINS,
    CREDIT,
    DEBIT,
    INVOICE,
    QUOTE,
    REFUND,
    REVOKE,
    UNBOOK,
    key_of,
)
from meshkit.errors import KeyNotFound, PeakmeshError
from meshkit.money import from_minor, to_minor
from meshkit.rpc.client import Metadata, call
from payment_worker import metrics
from payment_worker.order import Order
from payment_worker.ports import Debited
from peakmesh.provider.v1 import invoice_service_pb2 as invoice
from peakmesh.provider.v1 import invoice_service_pb2_grpc as invoice_rpc
from peakmesh.provider.v1 import loyalty_service_pb2 as loyalty
from peakmesh.provider.v1 import loyalty_service_pb2_grpc as loyalty_rpc
from peakmesh.provider.v1 import shipping_service_pb2 as shipping
from peakmesh.provider.v1 import shipping_service_pb2_grpc as shipping_rpc
from peakmesh.provider.v1 import wallet_service_pb2 as wallet
from peakmesh.provider.v1 import wallet_service_pb2_grpc as wallet_rpc


class GrpcProviders:
    """Implements ports.Providers. `deadline` is in seconds, a call."""

    def __init__(self, channel: grpc.aio.Channel, deadline: float) -> None:
        self._deadline = deadline
        self._wallet = wallet_rpc.WalletServiceStub(channel)
        self._shipping = shipping_rpc.ShippingServiceStub(channel)
        self._invoice = invoice_rpc.InvoiceServiceStub(channel)
        self._loyalty = loyalty_rpc.LoyaltyServiceStub(channel)

    async def quote(self, order: Order) -> int:
        request = shipping.QuoteShippingRequest(
            idempotency_key=key_of(order.order_id, QUOTE),
            weight_grams=order.weight_grams,
            address=order.address,
            currency_code=order.currency,
        )
        answer = await self._call("shipping", self._shipping.QuoteShipping, request, order.metadata)
        return _minor(answer.price, order.currency)

    async def debit(self, order: Order, amount_minor: int) -> Debited:
        request = wallet.DebitRequest(
            idempotency_key=key_of(order.order_id, DEBIT),
            user_id=order.user_id,
            amount=from_minor(amount_minor, order.currency),
        )
        return _debited((await self._call("wallet", self._wallet.Debit, request, order.metadata)).debit)

    async def find_debit(self, order: Order) -> Debited | None:
        request = wallet.GetDebitRequest(idempotency_key=key_of(order.order_id, DEBIT))
        try:
            return _debited((await self._call("wallet", self._wallet.GetDebit, request, order.metadata)).debit)
        except KeyNotFound:
            return None

    async def void(self, order: Order) -> None:
        request = wallet.VoidRequest(idempotency_key=key_of(order.order_id, DEBIT))
        await self._call("wallet", self._wallet.Void, request, order.metadata)

    async def take_back(self, order_id: str, step: str) -> str:
        return await _TAKE_BACK[step](self, order_id)

    async def _unbook(self, order_id: str) -> str:
        request = shipping.CancelBookingRequest(
            idempotency_key=key_of(order_id, UNBOOK), booking_key=key_of(order_id, BOOKING)
        )
        return str((await self._call("shipping", self._shipping.CancelBooking, request)).tracking_number)

    async def _refund(self, order_id: str) -> str:
        request = wallet.RefundRequest(idempotency_key=key_of(order_id, REFUND), debit_key=key_of(order_id, DEBIT))
        return str((await self._call("wallet", self._wallet.Refund, request)).transfer_id)

    async def _credit(self, order_id: str) -> str:
        request = invoice.IssueCreditNoteRequest(
            idempotency_key=key_of(order_id, CREDIT), invoice_key=key_of(order_id, INVOICE)
        )
        return str((await self._call("invoice", self._invoice.IssueCreditNote, request)).credit_note_number)

    async def _revoke(self, order_id: str) -> str:
        request = loyalty.RevokeCoinsRequest(
            idempotency_key=key_of(order_id, REVOKE), grant_key=key_of(order_id, COINS)
        )
        return str((await self._call("loyalty", self._loyalty.RevokeCoins, request)).coins)

    async def complete(self, order: Order, step: str, amount_minor: int) -> str:
        return await _COMPLETE[step](self, order, amount_minor)

    async def _book(self, order: Order, _: int) -> str:
        request = shipping.BookShippingRequest(
            idempotency_key=key_of(order.order_id, BOOKING), quote_key=key_of(order.order_id, QUOTE)
        )
        answer = await self._call("shipping", self._shipping.BookShipping, request, order.metadata)
        return str(answer.booking.tracking_number)

    async def _issue(self, order: Order, amount_minor: int) -> str:
        request = invoice.IssueInvoiceRequest(
            idempotency_key=key_of(order.order_id, INVOICE),
            user_id=order.user_id,
            amount=from_minor(amount_minor, order.currency),
        )
        answer = await self._call("invoice", self._invoice.IssueInvoice, request, order.metadata)
        return str(answer.invoice.invoice_number)

    async def _grant(self, order: Order, amount_minor: int) -> str:
        request = loyalty.GrantCoinsRequest(
            idempotency_key=key_of(order.order_id, COINS),
            user_id=order.user_id,
            amount=from_minor(amount_minor, order.currency),
        )
        answer = await self._call("loyalty", self._loyalty.GrantCoins, request, order.metadata)
        return str(answer.grant.coins)

    async def _call(self, provider: str, method: Callable[..., Any], request: Any, metadata: Metadata = ()) -> Any:
        began, outcome = time.perf_counter(), "ok"
        try:
            return await call(method, request, timeout=self._deadline, dependency=provider, metadata=metadata)
        except PeakmeshError as error:
            outcome = error.reason
            raise
        except Exception as error:
            # A call that gRPC itself cannot make: asked again, and at last the step ends.
            # Passed on as it is, the order would stay open, and keep its units, until time expires it.
            outcome = "INTERNAL"
            raise PeakmeshError(f"{provider}: {error!r}") from error
        finally:
            metrics.CALL_SECONDS.labels(provider, outcome).observe(time.perf_counter() - began)


_COMPLETE = {BOOKING: GrpcProviders._book, INVOICE: GrpcProviders._issue, COINS: GrpcProviders._grant}
_TAKE_BACK = {
    UNBOOK: GrpcProviders._unbook,
    REFUND: GrpcProviders._refund,
    CREDIT: GrpcProviders._credit,
    REVOKE: GrpcProviders._revoke,
}

# Which bulkhead and retry budget a step draws on.
PROVIDER_OF = {QUOTE: "shipping", DEBIT: "wallet", BOOKING: "shipping", INVOICE: "invoice", COINS: "loyalty"}
PROVIDER_OF |= {UNBOOK: "shipping", REFUND: "wallet", CREDIT: "invoice", REVOKE: "loyalty"}


def _minor(money: Any, currency: str) -> int:
    try:
        minor = to_minor(money)
    except ValueError as error:
        raise PeakmeshError(f"shipping quoted an amount that is no money: {error}") from None
    if money.currency_code != currency or minor < 0:
        raise PeakmeshError(f"shipping quoted {money.currency_code} {minor}, asked in {currency}")
    return minor


def _debited(debit: wallet.Debit) -> Debited:
    state = wallet.DebitState.Name(debit.state).removeprefix("DEBIT_STATE_")
    if state not in ("DONE", "DECLINED", "VOIDED"):
        raise PeakmeshError(f"wallet answered a debit in state {state}")
    return Debited(state, debit.transfer_id, debit.reason)
