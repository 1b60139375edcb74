"""Users' pictures.

Revision ID: 0004_avatars
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004_avatars"
down_revision = "0003_history_and_analytics"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "avatar",
        sa.Column("user_id", mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), primary_key=True),
        sa.Column("image", mysql.MEDIUMBLOB, nullable=False),
        sa.Column("request_id", mysql.CHAR(36, charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("request_hash", mysql.VARCHAR(64, charset="ascii", collation="ascii_bin"), nullable=False),
        sa.Column("updated_ms", sa.BigInteger, nullable=False),
        mysql_engine="InnoDB",
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def downgrade() -> None:
    raise NotImplementedError("orders are not thrown away: restore a backup instead")
