"""The tables of the journal. Money in minor units of `currency`; *_ms are Unix milliseconds."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    account       TEXT NOT NULL,            -- user:<user_id>, merchant or system
    currency      TEXT NOT NULL,
    balance_minor INTEGER NOT NULL,
    PRIMARY KEY (account, currency),
    CHECK (balance_minor >= 0 OR account = 'system')
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS transfers (
    transfer_no INTEGER PRIMARY KEY,
    transfer_id TEXT NOT NULL UNIQUE,
    kind        TEXT NOT NULL CHECK (kind IN ('opening', 'set_balance', 'debit', 'refund', 'void')),
    key         TEXT NOT NULL,              -- idempotency key; the user_id of an opening or set_balance
    at_ms       INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS entries (
    transfer_id  TEXT NOT NULL,
    account      TEXT NOT NULL,
    currency     TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, account)
) WITHOUT ROWID;

CREATE TRIGGER IF NOT EXISTS transfers_unchanged BEFORE UPDATE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is immutable'); END;
CREATE TRIGGER IF NOT EXISTS transfers_kept BEFORE DELETE ON transfers
BEGIN SELECT RAISE(ABORT, 'a transfer is immutable'); END;
CREATE TRIGGER IF NOT EXISTS entries_unchanged BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'an entry is immutable'); END;
CREATE TRIGGER IF NOT EXISTS entries_kept BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'an entry is immutable'); END;

CREATE TABLE IF NOT EXISTS debits (
    key                TEXT PRIMARY KEY,
    state              TEXT NOT NULL CHECK (state IN ('DONE', 'DECLINED', 'VOIDED')),
    user_id            TEXT NOT NULL,       -- '' where the key was barred before a debit came
    amount_minor       INTEGER NOT NULL,
    currency           TEXT NOT NULL,
    transfer_id        TEXT NOT NULL,       -- '' unless money moved
    refund_transfer_id TEXT NOT NULL,       -- '' unless it was given back, by a refund or a void
    reason             TEXT NOT NULL,
    at_ms              INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS refunds (
    key         TEXT PRIMARY KEY,
    debit_key   TEXT NOT NULL UNIQUE,
    transfer_id TEXT NOT NULL,
    at_ms       INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS quotes (
    key          TEXT PRIMARY KEY,
    weight_grams INTEGER NOT NULL,
    address      TEXT NOT NULL,             -- JSON
    zone         TEXT NOT NULL,
    currency     TEXT NOT NULL,
    price_minor  INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS bookings (
    booking_no      INTEGER PRIMARY KEY,
    key             TEXT NOT NULL UNIQUE,
    quote_key       TEXT NOT NULL,
    tracking_number TEXT NOT NULL UNIQUE,
    at_ms           INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS unbookings (
    key             TEXT PRIMARY KEY,
    booking_key     TEXT NOT NULL UNIQUE,
    outcome         TEXT NOT NULL CHECK (outcome IN ('CANCELLED', 'COLLECTED')),
    tracking_number TEXT NOT NULL,          -- '' where nothing was booked: the key is barred all the same
    at_ms           INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS invoices (
    invoice_number INTEGER PRIMARY KEY,
    key            TEXT NOT NULL UNIQUE,
    user_id        TEXT NOT NULL,
    amount_minor   INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    at_ms          INTEGER NOT NULL
);

CREATE TABLE IF NOT EXISTS credit_notes (
    key                TEXT PRIMARY KEY,
    invoice_key        TEXT NOT NULL UNIQUE,
    credit_note_number INTEGER NOT NULL,    -- 0 where there was no invoice: the key is barred all the same
    amount_minor       INTEGER NOT NULL,
    currency           TEXT NOT NULL,
    at_ms              INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS grants (
    key          TEXT PRIMARY KEY,
    user_id      TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency     TEXT NOT NULL,
    coins        INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS revocations (
    key       TEXT PRIMARY KEY,
    grant_key TEXT NOT NULL UNIQUE,
    coins     INTEGER NOT NULL,             -- 0 where none were given: the key is barred all the same
    at_ms     INTEGER NOT NULL
) WITHOUT ROWID;
"""
