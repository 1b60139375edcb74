"""Which offers each rebuild of lost stock is of, and how far it is.

Revision ID: 0006_stock_rebuild
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0006_stock_rebuild"
down_revision = "0005_writes_of_older_builds"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "stock_rebuild",
        sa.Column("epoch", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("offer_no", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("request_id", mysql.CHAR(36, charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("state", mysql.VARCHAR(16, charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("started_ms", sa.BigInteger, nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def downgrade() -> None:
    raise NotImplementedError("orders are not thrown away: restore a backup instead")
