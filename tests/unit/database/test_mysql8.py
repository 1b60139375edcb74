"""The check itself: what MariaDB has alone is found, and what MySQL 8 has passes."""

import pytest

from tests.mysql8 import faults


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO offer (sku) VALUES (%s) RETURNING offer_no",
        "DELETE FROM orders WHERE order_id = %s RETURNING state",
        "SELECT NEXT VALUE FOR numbers",
        "ALTER TABLE orders ADD COLUMN IF NOT EXISTS note INTEGER",
        "CREATE OR REPLACE TABLE note (id INTEGER)",
        "CREATE INDEX IF NOT EXISTS by_state ON orders (state)",
        "SELECT state FROM orders LIMIT 1 ROWS EXAMINED 10",
    ],
)
def test_an_extension_of_mariadb_is_found(statement: str) -> None:
    assert faults(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT state FROM orders WHERE order_id IN (%s, %s, %s) ORDER BY order_id FOR UPDATE",
        "SELECT state FROM orders FOR UPDATE SKIP LOCKED",
        "UPDATE offer SET reserved=(offer.reserved + %s) WHERE offer.offer_no = %s",
        "INSERT INTO orders (order_id, state) VALUES (%s, %s)",
        "SELECT GET_LOCK(%s, %s)",
        "SELECT state FROM orders WHERE state LIKE 'REJECTED%%'",
    ],
)
def test_mysql_8_passes(statement: str) -> None:
    assert faults(statement) == []
