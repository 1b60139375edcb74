"""The catalogue's version: what changed since a reader looked last.

Revision ID: 0002_catalog_version
"""

import sqlalchemy as sa
from alembic import op

revision = "0002_catalog_version"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "catalog",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("last_product_no", sa.Integer, nullable=False),
        sa.CheckConstraint("id = 1", name="catalog_single"),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    # Neither is written by the release before, which goes on writing products.
    op.add_column("product", sa.Column("product_no", sa.Integer, nullable=True))
    op.add_column("product", sa.Column("catalog_version", sa.BigInteger, nullable=False, server_default="1"))
    # Products of before are version 1, in the order of their SKUs.
    op.execute(
        "UPDATE product JOIN (SELECT sku, ROW_NUMBER() OVER (ORDER BY sku) AS number FROM product) AS numbered "
        "ON numbered.sku = product.sku SET product.product_no = numbered.number"
    )
    op.create_index("product_catalog_version", "product", ["catalog_version", "product_no"])
    op.create_unique_constraint("product_product_no", "product", ["product_no"])
    op.execute("INSERT INTO catalog (id, version, last_product_no) SELECT 1, 1, COUNT(*) FROM product")


def downgrade() -> None:
    raise NotImplementedError("orders are not thrown away: restore a backup instead")
