"""ShippingService: quotes by the tariff, bookings with a tracking number."""

import json
import re
import sqlite3
from collections.abc import Callable
from typing import Any

from meshkit.clock import wall_ms
from meshkit.errors import IllegalState, KeyBarred, KeyNotFound
from meshkit.money import from_minor
from meshkit.rpc.fields import Fields
from peakmesh.order.v1.order_pb2 import ShippingAddress
from peakmesh.provider.v1 import shipping_service_pb2 as pb
from peakmesh.provider.v1 import shipping_service_pb2_grpc as rpc
from tools.providers import checks, tariff
from tools.providers.journal import Journal
from tools.providers.taken_back import find_taken_back

_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_WEIGHTS = (8, 6, 4, 2, 3, 5, 9, 7)
_ADDRESS_LIMITS = {"recipient": 100, "street": 200, "city": 100, "postal_code": 16}


CANCELLED, COLLECTED = "CANCELLED", "COLLECTED"


def _never(_key: str) -> bool:
    return False


class ShippingServicer(rpc.ShippingServiceServicer):
    """`collected(booking_key)`: whether the parcel has left, so that its booking cannot be taken back."""

    def __init__(self, journal: Journal, collected: Callable[[str], bool] = _never) -> None:
        self._journal, self._collected = journal, collected

    def QuoteShipping(self, request: pb.QuoteShippingRequest, _context: Any) -> pb.QuoteShippingResponse:
        _check_quote(request)
        body = (request.weight_grams, _canonical(request.address), request.currency_code)
        zone = tariff.zone_of(request.address.country_code)
        minor = tariff.price_minor(zone, request.weight_grams)

        def work(db: sqlite3.Connection) -> pb.QuoteShippingResponse:
            known = db.execute("SELECT * FROM quotes WHERE key = ?", (request.idempotency_key,)).fetchone()
            if known is None:
                row = (request.idempotency_key, body[0], body[1], zone, body[2], minor, wall_ms())
                db.execute("INSERT INTO quotes VALUES (?, ?, ?, ?, ?, ?, ?)", row)
                return pb.QuoteShippingResponse(price=from_minor(minor, request.currency_code), zone=zone)
            if (known["weight_grams"], known["address"], known["currency"]) != body:
                raise KeyBarred("this key names another quote", metadata={"idempotency_key": request.idempotency_key})
            price = from_minor(known["price_minor"], known["currency"])
            return pb.QuoteShippingResponse(price=price, zone=known["zone"])

        return self._journal.run(work)

    def BookShipping(self, request: pb.BookShippingRequest, _context: Any) -> pb.BookShippingResponse:
        key, quote_key = checks.keys(request, "idempotency_key", "quote_key")
        tracking_number = self._journal.run(lambda db: _book(db, key, quote_key))
        booking = pb.Booking(idempotency_key=key, tracking_number=tracking_number)
        return pb.BookShippingResponse(booking=booking)

    def CancelBooking(self, request: pb.CancelBookingRequest, _context: Any) -> pb.CancelBookingResponse:
        key, booking_key = checks.keys(request, "idempotency_key", "booking_key")
        outcome, tracking = self._journal.run(lambda db: _unbook(db, key, booking_key, self._collected(booking_key)))
        if outcome == COLLECTED:
            raise IllegalState("the parcel was collected", metadata={"idempotency_key": booking_key})
        return pb.CancelBookingResponse(tracking_number=tracking)

    def GetBooking(self, request: pb.GetBookingRequest, _context: Any) -> pb.GetBookingResponse:
        [key] = checks.keys(request, "idempotency_key")
        known = self._journal.run(lambda db: _find_booking(db, key))
        if known is None:
            raise KeyNotFound("nothing is booked under this key")
        booking = pb.Booking(idempotency_key=known["key"], tracking_number=known["tracking_number"])
        return pb.GetBookingResponse(booking=booking)


def _check_quote(request: pb.QuoteShippingRequest) -> None:
    fields = Fields()
    checks.key(fields, "idempotency_key", request.idempotency_key)
    fields.between("weight_grams", request.weight_grams, 1, 10_000_000)
    for name, limit in _ADDRESS_LIMITS.items():
        fields.text(f"address.{name}", getattr(request.address, name), 1, limit)
    country = request.address.country_code
    fields.require(bool(_COUNTRY.match(country)), "address.country_code", "must be two capital letters")
    checks.currency(fields, "currency_code", request.currency_code)
    fields.check()


def _canonical(address: ShippingAddress) -> str:
    parts = {name: getattr(address, name) for name in (*_ADDRESS_LIMITS, "country_code")}
    return json.dumps(parts, ensure_ascii=False, sort_keys=True)


def _find_booking(db: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM bookings WHERE key = ?", (key,)).fetchone()
    return row


def _unbook(db: sqlite3.Connection, key: str, booking_key: str, collected: bool) -> tuple[str, str]:
    """(outcome, tracking number). Only a parcel that was booked can have been collected."""
    known = find_taken_back(db, "unbookings", "booking_key", key, booking_key)
    if known is not None:
        return known["outcome"], known["tracking_number"]
    booking = _find_booking(db, booking_key)
    outcome = COLLECTED if collected and booking is not None else CANCELLED
    tracking = "" if booking is None else booking["tracking_number"]
    db.execute("INSERT INTO unbookings VALUES (?, ?, ?, ?, ?)", (key, booking_key, outcome, tracking, wall_ms()))
    return outcome, tracking


def _book(db: sqlite3.Connection, key: str, quote_key: str) -> str:
    barred = "SELECT 1 FROM unbookings WHERE booking_key = ? AND outcome = ?"
    if db.execute(barred, (key, CANCELLED)).fetchone() is not None:
        raise KeyBarred("this booking was cancelled", metadata={"idempotency_key": key})
    known = _find_booking(db, key)
    if known is not None:
        if known["quote_key"] != quote_key:
            raise KeyBarred("this key names another booking", metadata={"idempotency_key": key})
        return str(known["tracking_number"])
    if db.execute("SELECT 1 FROM quotes WHERE key = ?", (quote_key,)).fetchone() is None:
        raise KeyNotFound("no quote is recorded under this key", metadata={"idempotency_key": quote_key})
    (number,) = db.execute("SELECT COALESCE(MAX(booking_no), 0) + 1 FROM bookings").fetchone()
    tracking = tracking_number(number)
    db.execute("INSERT INTO bookings VALUES (?, ?, ?, ?, ?)", (number, key, quote_key, tracking, wall_ms()))
    return tracking


def tracking_number(booking_no: int) -> str:
    """Thirteen characters as UPU S10 has them: service, eight digits, check digit, country."""
    digits = f"{booking_no:08d}"[-8:]
    remainder = 11 - sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11
    check = {10: 0, 11: 5}.get(remainder, remainder)
    return f"P{chr(65 + booking_no // 10**8 % 26)}{digits}{check}DE"
