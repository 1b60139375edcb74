"""InvoiceService: invoices numbered from 1 without gaps."""

import sqlite3
from typing import Any

from meshkit.clock import wall_ms
from meshkit.errors import KeyBarred, KeyNotFound
from meshkit.money import from_minor
from peakmesh.provider.v1 import invoice_service_pb2 as pb
from peakmesh.provider.v1 import invoice_service_pb2_grpc as rpc
from tools.providers import checks
from tools.providers.journal import Journal
from tools.providers.taken_back import find_taken_back, refuse_taken_back


class InvoiceServicer(rpc.InvoiceServiceServicer):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def IssueInvoice(self, request: pb.IssueInvoiceRequest, _context: Any) -> pb.IssueInvoiceResponse:
        minor = checks.amount(request, low=0)
        key, user_id, currency = request.idempotency_key, request.user_id, request.amount.currency_code
        return pb.IssueInvoiceResponse(invoice=self._journal.run(lambda db: _issue(db, key, user_id, minor, currency)))

    def IssueCreditNote(self, request: pb.IssueCreditNoteRequest, _context: Any) -> pb.IssueCreditNoteResponse:
        key, invoice_key = checks.keys(request, "idempotency_key", "invoice_key")
        number = self._journal.run(lambda db: _credit(db, key, invoice_key))
        return pb.IssueCreditNoteResponse(credit_note_number=number)

    def GetInvoice(self, request: pb.GetInvoiceRequest, _context: Any) -> pb.GetInvoiceResponse:
        [key] = checks.keys(request, "idempotency_key")
        known = self._journal.run(lambda db: _find(db, key))
        if known is None:
            raise KeyNotFound("no invoice is written under this key")
        return pb.GetInvoiceResponse(invoice=_message(known))


def _issue(db: sqlite3.Connection, key: str, user_id: str, minor: int, currency: str) -> pb.Invoice:
    refuse_taken_back(db, "credit_notes", "invoice_key", key)
    known = _find(db, key)
    if known is None:
        # MAX + 1 in the journal's only writer: a number whose transaction fails is the next one's.
        (number,) = db.execute("SELECT COALESCE(MAX(invoice_number), 0) + 1 FROM invoices").fetchone()
        row = (number, key, user_id, minor, currency, wall_ms())
        db.execute("INSERT INTO invoices VALUES (?, ?, ?, ?, ?, ?)", row)
        return pb.Invoice(idempotency_key=key, invoice_number=number, amount=from_minor(minor, currency))
    if (known["user_id"], known["amount_minor"], known["currency"]) != (user_id, minor, currency):
        raise KeyBarred("this key names another invoice", metadata={"idempotency_key": key})
    return _message(known)


def _credit(db: sqlite3.Connection, key: str, invoice_key: str) -> int:
    known = find_taken_back(db, "credit_notes", "invoice_key", key, invoice_key)
    if known is not None:
        return int(known["credit_note_number"])
    invoice = _find(db, invoice_key)
    number, minor, currency = 0, 0, ""
    if invoice is not None:
        (number,) = db.execute("SELECT COALESCE(MAX(credit_note_number), 0) + 1 FROM credit_notes").fetchone()
        minor, currency = invoice["amount_minor"], invoice["currency"]
    row = (key, invoice_key, number, minor, currency, wall_ms())
    db.execute("INSERT INTO credit_notes VALUES (?, ?, ?, ?, ?, ?)", row)
    return int(number)


def _find(db: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM invoices WHERE key = ?", (key,)).fetchone()
    return row


def _message(row: sqlite3.Row) -> pb.Invoice:
    amount = from_minor(row["amount_minor"], row["currency"])
    return pb.Invoice(idempotency_key=row["key"], invoice_number=row["invoice_number"], amount=amount)
