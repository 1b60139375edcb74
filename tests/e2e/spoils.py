"""What can be wrong with one field of a message, from its descriptor: a new field is in here by itself."""

import base64
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

TEXTS = (
    *("", " ", "{x}", "a b", "é", "a:b", "a|b", "x" * 101, "x" * 5_000, "'; drop table orders; --", '"*" OR'),
    *("a\x00b", "a\x1fb", "\x7f", "\u202e", "%00", "..", "../..", "a%2Fb", "NaN", "1e400", "null"),
    *("00000000-0000-0000-0000-000000000000", f"{{{uuid4()}}}", uuid4().hex),
)
NUMBERS = {
    Field.CPPTYPE_INT32: (0, -1, -(2**31), 101, 2**31 - 1),
    Field.CPPTYPE_INT64: (-1, -(2**63), 2**63 - 1),
}
TIMES = (Timestamp(seconds=-1), Timestamp(seconds=253_402_300_800), Timestamp(nanos=-1), Timestamp(nanos=10**9))
# What a JSON client may write where something else belongs; None is the same as to leave the field out.
WRONG_JSON: Mapping[int, tuple[Any, ...]] = {
    Field.CPPTYPE_STRING: (1, True, ["a"], {"a": 1}),
    Field.CPPTYPE_BOOL: ("true", 1, []),
    Field.CPPTYPE_INT32: ("many", "", 1.5, 2**31, "2147483648", -(2**31) - 1, True, [1], {}),
    Field.CPPTYPE_INT64: ("many", 1.5, 2**63, "9223372036854775808", True),
    Field.CPPTYPE_ENUM: ("NONE_SUCH", True, 0.5),
    Field.CPPTYPE_MESSAGE: ("words", 1, True, []),
}
WRONG_TIMES = ("yesterday", "2026-13-45T25:61:61Z", "10000-01-01T00:00:00Z", "2026-01-31", "1969-12-31T23:59:59Z", 7)
WRONG_BYTES = ("*", "a b", 1)
# Told of as a whole, by the field that holds them.
WHOLE = ("google.type.Money", "google.protobuf.Timestamp")


@dataclass(frozen=True)
class Spoil:
    """`path`: of the field; `told`: what a violation calls it; `key`: Message.field, by which `allowed` is looked up.
    `value`: None where the field is left out; `bare`: of a repeated one its only item. `only`: `json` or `grpc`, where
    the other cannot say it."""

    path: tuple[str, ...]
    told: str
    key: str
    value: Any
    bare: Any
    only: str = ""

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}={self.value!r:.60}"

    def on(self, message: Message) -> bytes:
        """The message with this one field spoilt, as bytes."""
        made = type(message)()
        made.CopyFrom(message)
        holder: Any = made
        for name in self.path[:-1]:
            holder = getattr(holder, name)
        _set(holder, self.path[-1], self.value)
        return made.SerializeToString()

    def on_json(self, said: dict[str, Any]) -> dict[str, Any]:
        """The same of the message as JSON."""
        made = deepcopy(said)
        holder = made
        for name in self.path[:-1]:
            holder = holder.setdefault(name, {})
        holder[self.path[-1]] = _json(self.value)
        if self.value is None:
            del holder[self.path[-1]]
        return made


def spoils(kind: Any, path: tuple[str, ...] = (), told: str = "") -> Iterator[Spoil]:
    """Every way to spoil one field of a message of descriptor `kind`."""
    for field in kind.fields:
        here, key = (*path, field.name), f"{kind.name}.{field.name}"
        name = told or ".".join(here)
        inner = field.message_type
        for value in _nonsense(field):
            only = "grpc" if isinstance(value, Message) else ""
            yield Spoil(here, name, key, _many(field, value), value, only)
        for value in _nonsense_in_json(field):
            yield Spoil(here, name, key, _many(field, value), value, "json")
        if inner is not None and not inner.full_name.startswith("google.protobuf."):
            yield from spoils(inner, here, name if inner.full_name in WHOLE else told)


def _many(field: Any, value: Any) -> Any:
    return [value] if field.is_repeated and value is not None else value


def _nonsense(field: Any) -> tuple[Any, ...]:
    if field.message_type is not None:
        return (None, *TIMES) if field.message_type.full_name == "google.protobuf.Timestamp" else (None,)
    if field.enum_type is not None:
        return (None, 0, 999, -1)
    if field.type == Field.TYPE_BYTES:
        return (None, b"\xff" * 64, b"\x00" * 20_000)
    if field.cpp_type == Field.CPPTYPE_STRING:
        return (None, *TEXTS)
    return (None, True) if field.cpp_type == Field.CPPTYPE_BOOL else (None, *NUMBERS[field.cpp_type])


def _nonsense_in_json(field: Any) -> tuple[Any, ...]:
    if field.type == Field.TYPE_BYTES:
        return WRONG_BYTES
    if field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp":
        return WRONG_TIMES
    return WRONG_JSON[field.cpp_type]


def _set(holder: Any, name: str, value: Any) -> None:
    holder.ClearField(name)
    if isinstance(value, Message):
        getattr(holder, name).CopyFrom(value)
    elif isinstance(value, list):
        getattr(holder, name).extend(value)
    elif value is not None:
        setattr(holder, name, value)


def _json(value: Any) -> Any:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def as_json(message: Message) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)
