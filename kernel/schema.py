"""The tables, as SQLAlchemy Core. MySQL 8 syntax; ids are ascii and compared byte by byte.

Columns named *_ms are Unix milliseconds, *_minor money in minor units of `currency`; `epoch` is the stock's.
"""

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql

metadata = MetaData()

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def _ascii(length: int) -> mysql.VARCHAR:
    return mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")


def _uuid() -> mysql.CHAR:
    return mysql.CHAR(36, charset="ascii", collation="ascii_bin")


IDENT = 64  # longest id that comes from outside
REASON_CHARS = 255

product = Table(
    "product",
    metadata,
    Column("sku", _ascii(IDENT), primary_key=True),
    Column("name", String(200), nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", _ascii(3), nullable=False),
    Column("weight_grams", Integer, nullable=False),
    Column("seller_id", _ascii(IDENT), nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    # Counts products in the order of import: the same number in every index that is built of them. NULL: no number yet.
    Column("product_no", Integer, nullable=True),
    # The version of the catalogue that changed this row last; 0: none yet.
    Column("catalog_version", BigInteger, nullable=False, server_default="0"),
    # Set by the database whenever a build writes the row that knows no versions; every write of this build's sets NULL.
    # So the governor finds what an older build wrote beside it, and gives it a version.
    Column(
        "unversioned_at",
        mysql.DATETIME(fsp=6),
        nullable=True,
        server_default=text("CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)"),
    ),
    UniqueConstraint("product_no", name="product_product_no"),
    Index("product_catalog_version", "catalog_version", "product_no"),
    Index("product_seller", "seller_id"),
    Index("product_unversioned", "unversioned_at"),
    **_OPTIONS,
)

# One row, id 1. Its version grows with every import, and is what Redis must have.
catalog = Table(
    "catalog",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("last_product_no", Integer, nullable=False),
    CheckConstraint("id = 1", name="catalog_single"),
    **_OPTIONS,
)

# Every price a product ever had: the audit recomputes each charge from it (I12).
product_price = Table(
    "product_price",
    metadata,
    Column("sku", _ascii(IDENT), primary_key=True),
    Column("price_version", Integer, primary_key=True, autoincrement=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", _ascii(3), nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    CheckConstraint("price_minor > 0", name="product_price_positive"),
    **_OPTIONS,
)

sale = Table(
    "sale",
    metadata,
    Column("sale_id", _ascii(IDENT), primary_key=True),
    Column("state", _ascii(16), nullable=False),
    Column("opens_ms", BigInteger, nullable=False),
    Column("closes_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    **_OPTIONS,
)

offer = Table(
    "offer",
    metadata,
    # Numbered by the database; 24 bits of it go into every order_id.
    Column("offer_no", Integer, primary_key=True, autoincrement=True),
    Column("sale_id", _ascii(IDENT), nullable=False),
    Column("sku", _ascii(IDENT), nullable=False),
    Column("initial", Integer, nullable=False),
    Column("reserved", Integer, nullable=False, server_default="0"),
    Column("sold", Integer, nullable=False, server_default="0"),
    Column("unit_limit", Integer, nullable=False),
    Column("price_minor", BigInteger, nullable=False),
    Column("currency", _ascii(3), nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("unit_weight_grams", Integer, nullable=False),
    Column("state", _ascii(16), nullable=False),
    Column("opens_ms", BigInteger, nullable=False),
    Column("closes_ms", BigInteger, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("buckets", Integer, nullable=False, server_default="1"),
    UniqueConstraint("sale_id", "sku", name="offer_sale_sku"),
    # The last line of promise 1: a statement that would oversell fails, whoever wrote it.
    CheckConstraint("reserved >= 0 and sold >= 0 and initial >= reserved + sold", name="offer_conserved"),
    **_OPTIONS,
)

orders = Table(
    "orders",
    metadata,
    Column("order_id", _uuid(), primary_key=True),
    Column("offer_no", Integer, nullable=False),
    Column("sale_id", _ascii(IDENT), nullable=False),
    Column("sku", _ascii(IDENT), nullable=False),
    Column("user_id", _ascii(IDENT), nullable=False),
    # NULL on REJECTED_DUPLICATE rows, which would break the unique index that the winner holds; on those that a rebuild
    # refused and on those cancelled for want of consent, so that their buyers may ask again.
    Column("request_id", _uuid(), nullable=True),
    Column("request_hash", _ascii(IDENT), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_minor", BigInteger, nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("currency", _ascii(3), nullable=False),
    Column("discount_minor", BigInteger, nullable=False, server_default="0"),
    Column("voucher_code", _ascii(IDENT), nullable=False, server_default=text("''")),
    Column("unit_weight_grams", Integer, nullable=False),
    Column("shipping_minor", BigInteger, nullable=True),
    # JSON as text: TEXT is the same on MySQL, MariaDB and TiDB, and nobody queries inside.
    Column("address", Text, nullable=False),
    Column("state", _ascii(32), nullable=False),
    Column("reason", String(REASON_CHARS), nullable=False, server_default=text("''")),
    Column("epoch", BigInteger, nullable=False),
    Column("placed_by", _ascii(IDENT), nullable=False, server_default=text("''")),
    Column("replaced_by", _uuid(), nullable=True),
    Column("accepted_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Column("deadline_ms", BigInteger, nullable=False),
    UniqueConstraint("user_id", "offer_no", "request_id", name="orders_request"),
    Index("orders_state_deadline", "state", "deadline_ms"),
    # A buyer's history: found in order, and filtered without a look at the rows.
    Index("orders_history", "user_id", "order_id", "state", "accepted_ms"),
    Index("orders_sku_accepted", "sku", "accepted_ms"),
    Index("orders_updated", "updated_ms"),
    CheckConstraint("quantity > 0", name="orders_quantity"),
    **_OPTIONS,
)

# PRIMARY KEY (order_id, step) is the arbiter between charging an order and giving it up.
payment_step = Table(
    "payment_step",
    metadata,
    Column("order_id", _uuid(), primary_key=True),
    Column("step", _ascii(16), primary_key=True),
    Column("idempotency_key", _ascii(IDENT), nullable=False),
    Column("state", _ascii(16), nullable=False),
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("amount_minor", BigInteger, nullable=False, server_default="0"),
    Column("currency", _ascii(3), nullable=False),
    Column("provider_ref", _ascii(128), nullable=False, server_default=text("''")),
    Column("reason", String(REASON_CHARS), nullable=False, server_default=text("''")),
    Column("deadline_ms", BigInteger, nullable=False),
    Column("created_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    Index("payment_step_state_deadline", "state", "deadline_ms"),
    **_OPTIONS,
)

# Idempotency and journal of what operators asked for.
ops_request = Table(
    "ops_request",
    metadata,
    Column("request_id", _uuid(), primary_key=True),
    Column("method", _ascii(IDENT), nullable=False),
    Column("request_hash", _ascii(IDENT), nullable=False),
    Column("response", mysql.MEDIUMBLOB(), nullable=False),
    Column("who", _ascii(IDENT), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Index("ops_request_at", "at_ms"),
    **_OPTIONS,
)

# One row, id 1: the truth that every Redis script's epoch is held against.
stock_epoch = Table(
    "stock_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    CheckConstraint("id = 1", name="stock_epoch_single"),
    **_OPTIONS,
)

# Where each partition of orders.intake passed a rebuild's marker; what comes after it with an older epoch is refused.
intake_fence = Table(
    "intake_fence",
    metadata,
    Column("partition_no", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("fence_offset", BigInteger, nullable=False),
    **_OPTIONS,
)

# Offers of each rebuild, by the epoch that it starts: a marker speaks of these alone. `state`: governor/rebuild.py.
stock_rebuild = Table(
    "stock_rebuild",
    metadata,
    Column("epoch", BigInteger, primary_key=True, autoincrement=False),
    Column("offer_no", Integer, primary_key=True, autoincrement=False),
    Column("request_id", _uuid(), nullable=False),
    Column("reason", String(REASON_CHARS), nullable=False),
    Column("state", _ascii(16), nullable=False),
    Column("started_ms", BigInteger, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    **_OPTIONS,
)

# A user's picture as it is shown, about 10 kB, and the request that brought it.
avatar = Table(
    "avatar",
    metadata,
    Column("user_id", _ascii(IDENT), primary_key=True),
    Column("image", mysql.MEDIUMBLOB, nullable=False),
    Column("request_id", _uuid(), nullable=False),
    Column("request_hash", _ascii(IDENT), nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
    **_OPTIONS,
)
