"""Indexes of the purchase history's filters and of the sellers' analytics.

Revision ID: 0003_history_and_analytics
"""

from alembic import op

revision = "0003_history_and_analytics"
down_revision = "0002_catalog_version"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("orders_history", "orders", ["user_id", "order_id", "state", "accepted_ms"])
    # Its columns lead the new one: queries of the release before find theirs there.
    op.drop_index("orders_user", "orders")
    op.create_index("orders_sku_accepted", "orders", ["sku", "accepted_ms"])
    op.create_index("product_seller", "product", ["seller_id"])


def downgrade() -> None:
    raise NotImplementedError("orders are not thrown away: restore a backup instead")
