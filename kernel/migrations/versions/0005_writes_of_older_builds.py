"""What the build before writes to `product` is taken, and found, beside this one.

0002 wanted a number and a version that the released build does not write. Now both may be left out, and the database
marks the row: the governor numbers what is marked and publishes it.

Revision ID: 0005_writes_of_older_builds
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0005_writes_of_older_builds"
down_revision = "0004_avatars"
branch_labels = None
depends_on = None

_NOW = "CURRENT_TIMESTAMP(6)"


def upgrade() -> None:
    op.alter_column("product", "product_no", existing_type=sa.Integer, nullable=True)
    op.alter_column(
        "product", "catalog_version", existing_type=sa.BigInteger, existing_nullable=False, server_default="0"
    )
    # Rows that are there are marked too: since 0002 a build without versions may have changed any of them.
    mark = sa.Column("unversioned_at", mysql.DATETIME(fsp=6), server_default=sa.text(f"{_NOW} ON UPDATE {_NOW}"))
    op.add_column("product", mark)
    op.create_index("product_unversioned", "product", ["unversioned_at"])


def downgrade() -> None:
    raise NotImplementedError("orders are not thrown away: restore a backup instead")
