"""The first schema.

Revision ID: 0001
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def _ascii(length: int) -> mysql.VARCHAR:
    return mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")


def _uuid() -> mysql.CHAR:
    return mysql.CHAR(36, charset="ascii", collation="ascii_bin")


def upgrade() -> None:
    _catalog()
    _sales()
    _orders()
    _payments()
    _operations()


def _catalog() -> None:
    op.create_table(
        "product",
        sa.Column("sku", _ascii(64), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", _ascii(3), nullable=False),
        sa.Column("weight_grams", sa.Integer, nullable=False),
        sa.Column("seller_id", _ascii(64), nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        **_OPTIONS,
    )
    op.create_table(
        "product_price",
        sa.Column("sku", _ascii(64), primary_key=True),
        sa.Column("price_version", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", _ascii(3), nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.CheckConstraint("price_minor > 0", name="product_price_positive"),
        **_OPTIONS,
    )


def _sales() -> None:
    op.create_table(
        "sale",
        sa.Column("sale_id", _ascii(64), primary_key=True),
        sa.Column("state", _ascii(16), nullable=False),
        sa.Column("opens_ms", sa.BigInteger, nullable=False),
        sa.Column("closes_ms", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        **_OPTIONS,
    )
    op.create_table(
        "offer",
        sa.Column("offer_no", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("sale_id", _ascii(64), nullable=False),
        sa.Column("sku", _ascii(64), nullable=False),
        sa.Column("initial", sa.Integer, nullable=False),
        sa.Column("reserved", sa.Integer, nullable=False, server_default="0"),
        sa.Column("sold", sa.Integer, nullable=False, server_default="0"),
        sa.Column("unit_limit", sa.Integer, nullable=False),
        sa.Column("price_minor", sa.BigInteger, nullable=False),
        sa.Column("currency", _ascii(3), nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("unit_weight_grams", sa.Integer, nullable=False),
        sa.Column("state", _ascii(16), nullable=False),
        sa.Column("opens_ms", sa.BigInteger, nullable=False),
        sa.Column("closes_ms", sa.BigInteger, nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("buckets", sa.Integer, nullable=False, server_default="1"),
        sa.UniqueConstraint("sale_id", "sku", name="offer_sale_sku"),
        sa.CheckConstraint("reserved >= 0 and sold >= 0 and initial >= reserved + sold", name="offer_conserved"),
        **_OPTIONS,
    )


def _orders() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", _uuid(), primary_key=True),
        sa.Column("offer_no", sa.Integer, nullable=False),
        sa.Column("sale_id", _ascii(64), nullable=False),
        sa.Column("sku", _ascii(64), nullable=False),
        sa.Column("user_id", _ascii(64), nullable=False),
        sa.Column("request_id", _uuid(), nullable=True),
        sa.Column("request_hash", _ascii(64), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("unit_price_minor", sa.BigInteger, nullable=False),
        sa.Column("price_version", sa.Integer, nullable=False),
        sa.Column("currency", _ascii(3), nullable=False),
        sa.Column("discount_minor", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("voucher_code", _ascii(64), nullable=False, server_default=sa.text("''")),
        sa.Column("unit_weight_grams", sa.Integer, nullable=False),
        sa.Column("shipping_minor", sa.BigInteger, nullable=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("state", _ascii(32), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False, server_default=sa.text("''")),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("placed_by", _ascii(64), nullable=False, server_default=sa.text("''")),
        sa.Column("replaced_by", _uuid(), nullable=True),
        sa.Column("accepted_ms", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        sa.Column("deadline_ms", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("user_id", "offer_no", "request_id", name="orders_request"),
        sa.CheckConstraint("quantity > 0", name="orders_quantity"),
        **_OPTIONS,
    )
    op.create_index("orders_state_deadline", "orders", ["state", "deadline_ms"])
    op.create_index("orders_user", "orders", ["user_id", "order_id"])
    op.create_index("orders_updated", "orders", ["updated_ms"])
    op.create_table(
        "intake_fence",
        sa.Column("partition_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("fence_offset", sa.BigInteger, nullable=False),
        **_OPTIONS,
    )


def _payments() -> None:
    op.create_table(
        "payment_step",
        sa.Column("order_id", _uuid(), primary_key=True),
        sa.Column("step", _ascii(16), primary_key=True),
        sa.Column("idempotency_key", _ascii(64), nullable=False),
        sa.Column("state", _ascii(16), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False, server_default="0"),
        sa.Column("amount_minor", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("currency", _ascii(3), nullable=False),
        sa.Column("provider_ref", _ascii(128), nullable=False, server_default=sa.text("''")),
        sa.Column("reason", sa.String(255), nullable=False, server_default=sa.text("''")),
        sa.Column("deadline_ms", sa.BigInteger, nullable=False),
        sa.Column("created_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        **_OPTIONS,
    )
    op.create_index("payment_step_state_deadline", "payment_step", ["state", "deadline_ms"])


def _operations() -> None:
    op.create_table(
        "ops_request",
        sa.Column("request_id", _uuid(), primary_key=True),
        sa.Column("method", _ascii(64), nullable=False),
        sa.Column("request_hash", _ascii(64), nullable=False),
        sa.Column("response", mysql.MEDIUMBLOB(), nullable=False),
        sa.Column("who", _ascii(64), nullable=False),
        sa.Column("at_ms", sa.BigInteger, nullable=False),
        **_OPTIONS,
    )
    op.create_index("ops_request_at", "ops_request", ["at_ms"])
    op.create_table(
        "stock_epoch",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.CheckConstraint("id = 1", name="stock_epoch_single"),
        **_OPTIONS,
    )
    op.execute("INSERT INTO stock_epoch (id, epoch) VALUES (1, 1)")


def downgrade() -> None:
    raise NotImplementedError("orders are not thrown away: restore a backup instead")
