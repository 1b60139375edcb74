"""LoyaltyService: coins worth 1 % of what was paid."""

import sqlite3
from typing import Any

from meshkit.clock import wall_ms
from meshkit.errors import KeyBarred, KeyNotFound
from peakmesh.provider.v1 import loyalty_service_pb2 as pb
from peakmesh.provider.v1 import loyalty_service_pb2_grpc as rpc
from tools.providers import checks
from tools.providers.journal import Journal
from tools.providers.taken_back import find_taken_back, refuse_taken_back


def coins_for(amount_minor: int) -> int:
    """1 % rounded down, one coin a minor unit."""
    return amount_minor // 100


class LoyaltyServicer(rpc.LoyaltyServiceServicer):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def GrantCoins(self, request: pb.GrantCoinsRequest, _context: Any) -> pb.GrantCoinsResponse:
        minor = checks.amount(request, low=0)
        key, user_id, currency = request.idempotency_key, request.user_id, request.amount.currency_code
        return pb.GrantCoinsResponse(grant=self._journal.run(lambda db: _grant(db, key, user_id, minor, currency)))

    def RevokeCoins(self, request: pb.RevokeCoinsRequest, _context: Any) -> pb.RevokeCoinsResponse:
        key, grant_key = checks.keys(request, "idempotency_key", "grant_key")
        return pb.RevokeCoinsResponse(coins=self._journal.run(lambda db: _revoke(db, key, grant_key)))

    def GetGrant(self, request: pb.GetGrantRequest, _context: Any) -> pb.GetGrantResponse:
        [key] = checks.keys(request, "idempotency_key")
        known = self._journal.run(lambda db: _find(db, key))
        if known is None:
            raise KeyNotFound("nothing was given under this key")
        return pb.GetGrantResponse(grant=_message(known))


def _grant(db: sqlite3.Connection, key: str, user_id: str, minor: int, currency: str) -> pb.Grant:
    refuse_taken_back(db, "revocations", "grant_key", key)
    known = _find(db, key)
    if known is None:
        coins = coins_for(minor)
        db.execute("INSERT INTO grants VALUES (?, ?, ?, ?, ?, ?)", (key, user_id, minor, currency, coins, wall_ms()))
        return pb.Grant(idempotency_key=key, user_id=user_id, coins=coins)
    if (known["user_id"], known["amount_minor"], known["currency"]) != (user_id, minor, currency):
        raise KeyBarred("this key names another grant", metadata={"idempotency_key": key})
    return _message(known)


def _revoke(db: sqlite3.Connection, key: str, grant_key: str) -> int:
    known = find_taken_back(db, "revocations", "grant_key", key, grant_key)
    if known is None:
        given = _find(db, grant_key)
        coins = 0 if given is None else int(given["coins"])
        db.execute("INSERT INTO revocations VALUES (?, ?, ?, ?)", (key, grant_key, coins, wall_ms()))
        return coins
    return int(known["coins"])


def _find(db: sqlite3.Connection, key: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute("SELECT * FROM grants WHERE key = ?", (key,)).fetchone()
    return row


def _message(row: sqlite3.Row) -> pb.Grant:
    return pb.Grant(idempotency_key=row["key"], user_id=row["user_id"], coins=row["coins"])
