"""The check itself: what MariaDB has alone is found, and what MySQL 8 has passes."""

import pytest
from sqlalchemy import create_engine

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
        "INSERT INTO orders SELECT * FROM offer RETURNING order_id",
        "REPLACE INTO offer (sku) VALUES (%s) RETURNING offer_no",
        "CREATE SEQUENCE numbers",
        "SELECT NEXTVAL(numbers)",
        "SELECT numbers.nextval FROM orders",
        "SELECT PREVIOUS VALUE FOR numbers",
        "CREATE TABLE note (id INTEGER) WITH SYSTEM VERSIONING",
        "SELECT state FROM orders FOR SYSTEM_TIME ALL",
        "ALTER TABLE orders ADD IF NOT EXISTS note INTEGER",
        "ALTER TABLE orders ADD INDEX IF NOT EXISTS by_state (state)",
        "ALTER TABLE orders DROP COLUMN IF EXISTS note",
        "ALTER TABLE IF EXISTS orders ADD COLUMN note INTEGER",
        "ALTER TABLE orders DROP CONSTRAINT IF EXISTS orders_quantity",
        "DROP INDEX IF EXISTS by_state ON orders",
        "CREATE OR REPLACE INDEX by_state ON orders (state)",
        "CREATE TABLE note (id INTEGER AS (other + 1) PERSISTENT)",
        "CREATE TABLE note (id VARCHAR(3) COLLATE utf8mb4_uca1400_ai_ci)",
        "CREATE TABLE note (id INTEGER) ENGINE=Aria",
        "SELECT NVL(state, %s) FROM orders",
        "SELECT JSON_DETAILED(address) FROM orders",
        "SELECT MEDIAN(quantity) OVER () FROM orders",
        "SELECT TO_CHAR(state) FROM orders",
        "CREATE TABLE note (id UUID)",
        "ALTER TABLE note ADD COLUMN host INET6",
        "ALTER TABLE note MODIFY COLUMN host INET4 NOT NULL",
        "SELECT CAST(state AS INET6) FROM orders",
        "CREATE TABLE note (id INTEGER, name VARCHAR2(3))",
        "INSERT INTO offer (sku) VALUES (%s) ON DUPLICATE KEY UPDATE sku = VALUE(sku)",
        "INSERT INTO offer (sku, sold) VALUES (%s, %s) ON DUPLICATE KEY UPDATE sku = VALUES(sku), sold=VALUE(sold)",
        "SET STATEMENT max_statement_time=1 FOR SELECT 1",
        "SET SESSION max_statement_time = 1",
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
        "SELECT state FROM orders WHERE reason = 'RETURNING a SEQUENCE'",
        "INSERT INTO offer (sku, sold) VALUES (%s, %s) ON DUPLICATE KEY UPDATE sold = VALUES(sold)",
        "INSERT INTO offer (sku) VALUES (%s) AS new ON DUPLICATE KEY UPDATE sku = new.sku",
        "SELECT COALESCE(SUM(quantity), 0), COUNT(*), CAST(MAX(sku) AS SIGNED) FROM orders GROUP BY state",
        "CREATE TABLE IF NOT EXISTS note (id INTEGER NOT NULL AUTO_INCREMENT, at_ms BIGINT, PRIMARY KEY (id))",
        "DROP TABLE IF EXISTS note",
        "CREATE TABLE note (id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin, image MEDIUMBLOB) ENGINE=InnoDB",
        "ALTER TABLE note ADD COLUMN at DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
        "UPDATE a JOIN (SELECT sku, ROW_NUMBER() OVER (ORDER BY sku) AS n FROM a) AS b ON b.sku = a.sku SET a.no = b.n",
    ],
)
def test_mysql_8_passes(statement: str) -> None:
    assert faults(statement) == []


def test_the_session_holds_what_is_sent_to_it() -> None:
    """The listener of tests/conftest.py is there: it speaks before anything reaches a server."""
    engine = create_engine("mysql+asyncmy://nobody@127.0.0.1:1/none")

    class Connection:
        dialect = engine.dialect

    with pytest.raises(AssertionError, match="RETURNING"):
        engine.dispatch.before_cursor_execute(Connection(), None, "DELETE FROM orders RETURNING state", (), None, False)
