"""What the providers take back: once, and what they were told to bar stays barred."""

from meshkit.errors import IllegalState, KeyBarred
from meshkit.money import from_minor
from peakmesh.provider.v1 import invoice_service_pb2 as invoice
from peakmesh.provider.v1 import loyalty_service_pb2 as loyalty
from peakmesh.provider.v1 import shipping_service_pb2 as shipping
from tests.component.providers.conftest import Sandbox
from tests.component.providers.test_other_providers import quote, refused
from tools.providers.knobs import AllKnobs, Knobs

BOOK = shipping.BookShippingRequest(idempotency_key="o1:booking", quote_key="o1:quote")
UNBOOK = shipping.CancelBookingRequest(idempotency_key="o1:unbook", booking_key="o1:booking")
ISSUE = invoice.IssueInvoiceRequest(idempotency_key="o1:invoice", user_id="ann", amount=from_minor(990, "EUR"))
CREDIT = invoice.IssueCreditNoteRequest(idempotency_key="o1:credit", invoice_key="o1:invoice")
GRANT = loyalty.GrantCoinsRequest(idempotency_key="o1:coins", user_id="ann", amount=from_minor(990, "EUR"))
REVOKE = loyalty.RevokeCoinsRequest(idempotency_key="o1:revoke", grant_key="o1:coins")


def test_a_booking_is_cancelled_once_and_never_made_again(sandbox: Sandbox) -> None:
    sandbox.shipping.QuoteShipping(quote(), timeout=5)
    booked = sandbox.shipping.BookShipping(BOOK, timeout=5).booking
    for _ in range(2):
        assert sandbox.shipping.CancelBooking(UNBOOK, timeout=5).tracking_number == booked.tracking_number
    assert isinstance(refused(sandbox.shipping.BookShipping, BOOK), KeyBarred)
    other = shipping.CancelBookingRequest(idempotency_key="o2:unbook", booking_key="o1:booking")
    assert isinstance(refused(sandbox.shipping.CancelBooking, other), KeyBarred)


def test_a_cancel_that_comes_before_its_booking_bars_it(sandbox: Sandbox) -> None:
    sandbox.shipping.QuoteShipping(quote(), timeout=5)
    assert sandbox.shipping.CancelBooking(UNBOOK, timeout=5).tracking_number == ""
    assert isinstance(refused(sandbox.shipping.BookShipping, BOOK), KeyBarred)


def test_a_parcel_that_was_collected_stays_booked_for_good(sandbox: Sandbox) -> None:
    sandbox.turn(AllKnobs(shipping=Knobs(collected=1)))
    sandbox.shipping.QuoteShipping(quote(), timeout=5)
    booked = sandbox.shipping.BookShipping(BOOK, timeout=5).booking
    assert isinstance(refused(sandbox.shipping.CancelBooking, UNBOOK), IllegalState)
    sandbox.turn(AllKnobs())
    assert isinstance(refused(sandbox.shipping.CancelBooking, UNBOOK), IllegalState)
    assert sandbox.shipping.BookShipping(BOOK, timeout=5).booking == booked


def test_invoice_and_coins_are_taken_back_once(sandbox: Sandbox) -> None:
    sandbox.invoices.IssueInvoice(ISSUE, timeout=5)
    sandbox.loyalty.GrantCoins(GRANT, timeout=5)
    for _ in range(2):
        assert sandbox.invoices.IssueCreditNote(CREDIT, timeout=5).credit_note_number == 1
        assert sandbox.loyalty.RevokeCoins(REVOKE, timeout=5).coins == 9
    assert isinstance(refused(sandbox.invoices.IssueInvoice, ISSUE), KeyBarred)
    assert isinstance(refused(sandbox.loyalty.GrantCoins, GRANT), KeyBarred)


def test_what_never_was_is_barred_and_counts_nothing(sandbox: Sandbox) -> None:
    assert sandbox.invoices.IssueCreditNote(CREDIT, timeout=5).credit_note_number == 0
    assert sandbox.loyalty.RevokeCoins(REVOKE, timeout=5).coins == 0
    assert isinstance(refused(sandbox.invoices.IssueInvoice, ISSUE), KeyBarred)
    assert isinstance(refused(sandbox.loyalty.GrantCoins, GRANT), KeyBarred)
