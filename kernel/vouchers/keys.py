"""Names of one voucher's keys. The tag `{v:CODE}` puts them all into one Redis hash slot.

vch:{T}  HASH  limits and counters         vhl:{T}  HASH  order_id -> state|user|amount|expires_ms|take|request
vus:{T}  HASH  user_id -> uses             vdu:{T}  ZSET  order_id -> expires_ms, of holds that are not committed
vrq:{T}  HASH  request -> order_id, of the same
"""

# SET of every code that ever had a limit: what the audit and the sweep enumerate.
REGISTRY = "vouchers"


def _tag(code: str) -> str:
    return f"{{v:{code}}}"


def counters(code: str) -> str:
    return f"vch:{_tag(code)}"


def holds(code: str) -> str:
    return f"vhl:{_tag(code)}"


def uses(code: str) -> str:
    return f"vus:{_tag(code)}"


def due(code: str) -> str:
    return f"vdu:{_tag(code)}"


def requests(code: str) -> str:
    return f"vrq:{_tag(code)}"


def all_of(code: str) -> list[str]:
    """In the order in which every script takes them."""
    return [counters(code), holds(code), uses(code), due(code), requests(code)]
