"""CartStore over Redis: a method is one script, and all keys of a user are in one hash slot.

cart:{user}                 HASH    l|sale|sku -> number|units|price_minor|currency|price_version; serial; recent
frozen:{user}:<request_id>  HASH    body; the lines as in the cart; o|sale|sku -> outcome, EX 86400
begun:{user}                ZSET    request_id -> when its frozen cart expires
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from redis.asyncio import Redis

from checkout_svc import line_outcome
from checkout_svc.cart import CartLimits, CartLine, Change, FrozenCart, OfferKey
from checkout_svc.line_outcome import Outcome
from meshkit.errors import CartEmpty, CartFull, CartLineNotFound, Overloaded, RequestIdReused
from meshkit.redis_client import answered

# The last so many request_ids of a user; what was asked for before them would be done again. 54 bytes each, in the
# cart's own key: a key a request_id would let one client fill the memory that the stock lives in.
REMEMBERED = 64


class RedisCarts:
    """Expects a client with decode_responses=False."""

    def __init__(self, redis: Redis, limits: CartLimits) -> None:
        self._redis, self._limits = redis, limits
        scripts = files("checkout_svc.cart_scripts")
        self._change, self._freeze, self._settle = (
            redis.register_script((scripts / f"{name}.lua").read_text("utf-8"))
            for name in ("change", "freeze", "settle")
        )

    async def read(self, user_id: str) -> list[CartLine]:
        fields: Any = await answered(self._redis.hgetall(_cart(user_id)))
        return _lines({name.decode(): value.decode() for name, value in fields.items()})

    async def change(self, user_id: str, change: Change) -> list[CartLine]:
        line, limits = change.line, self._limits
        price = f"{line.price_minor}|{line.currency}|{line.price_version}" if line else ""
        kind, *rest = await self._run(
            self._change,
            [_cart(user_id)],
            [
                change.action.value,
                change.request_id,
                change.body(),
                f"l|{'|'.join(line.offer)}" if line else "",
                line.quantity if line else 0,
                price,
                REMEMBERED,
                limits.lines,
                limits.units,
                limits.seconds,
            ],
        )
        match kind:
            case b"DONE":
                return _lines(_fields(rest[0]))
            case b"FULL":
                raise cart_full(rest[0])
            case b"ABSENT":
                raise CartLineNotFound("the cart has no such line")
            case _:
                raise RequestIdReused("this request_id was used for another change")

    async def freeze(self, user_id: str, request_id: str, body: str) -> FrozenCart:
        names = [_cart(user_id), _frozen(user_id, request_id), f"begun:{{{user_id}}}"]
        limits = self._limits
        kind, *rest = await self._run(self._freeze, names, [request_id, body, limits.frozen, limits.frozen_seconds])
        match kind:
            case b"FROZEN":
                return _frozen_cart(_fields(rest[0]))
            case b"EMPTY":
                raise CartEmpty("there is nothing in the cart")
            case b"CROWDED":
                raise Overloaded("too many checkouts were begun", retry_after=float(rest[0]))
            case _:
                raise RequestIdReused("this request_id was used with another body")

    async def settle(self, user_id: str, request_id: str, outcomes: Mapping[OfferKey, Outcome]) -> FrozenCart:
        told: list[str | int] = [self._limits.seconds]
        for offer, outcome in outcomes.items():
            told += ["|".join(offer), line_outcome.encode(outcome)]
        return _frozen_cart(
            _fields(await self._run(self._settle, [_cart(user_id), _frozen(user_id, request_id)], told))
        )

    async def _run(self, script: Any, names: list[str], args: list[Any]) -> Any:
        return await answered(script(keys=names, args=args))


def cart_full(most: int) -> CartFull:
    return CartFull(f"no more than {most}", metadata={"most": str(most)})


def _cart(user_id: str) -> str:
    return f"cart:{{{user_id}}}"


def _frozen(user_id: str, request_id: str) -> str:
    return f"frozen:{{{user_id}}}:{request_id}"


def _fields(raw: list[bytes]) -> dict[str, str]:
    """A hash as a script returns it."""
    texts = iter([each.decode() for each in raw])
    return dict(zip(texts, texts, strict=True))


def _lines(fields: Mapping[str, str]) -> list[CartLine]:
    found = [_line(name, text) for name, text in fields.items() if name.startswith("l|")]
    return sorted(found, key=lambda line: line.number)


def _line(name: str, text: str) -> CartLine:
    _, sale_id, sku = name.split("|")
    number, units, minor, currency, version = text.split("|")
    return CartLine(sale_id, sku, int(units), int(minor), currency, int(version), int(number))


def _frozen_cart(fields: Mapping[str, str]) -> FrozenCart:
    outcomes: dict[OfferKey, Outcome] = {}
    for name, text in fields.items():
        if name.startswith("o|"):
            _, sale_id, sku = name.split("|")
            outcomes[sale_id, sku] = line_outcome.decode(text)
    return FrozenCart(_lines(fields), outcomes)
