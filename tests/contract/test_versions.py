"""Version N reads what N−1 wrote, and N−1 what N writes: both run side by side while a release rolls out."""

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from peakmesh.event.v1 import events_pb2

RELEASED = Path(__file__).resolve().parents[2] / "protos" / "released.binpb"
TOPICS = ("OrderIntake", "OrderCreated", "PaymentResult")
DEPTH = 4


def released() -> descriptor_pool.DescriptorPool:
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(RELEASED.read_bytes()).file:
        pool.Add(file)
    return pool


def filled(kind: type[Message], body: str = "", depth: int = DEPTH) -> Message:
    """Every field set; of a oneof the field `body` alone."""
    made = kind()
    for field in made.DESCRIPTOR.fields:
        if field.containing_oneof is None or field.name == body or not body:
            _fill(made, field, depth)
    return made


def _fill(message: Any, field: Any, depth: int) -> None:
    if field.message_type is not None:
        if depth:
            target = getattr(message, field.name)
            inner = target.add() if field.is_repeated else target
            inner.MergeFrom(filled(type(inner), depth=depth - 1))
            inner.SetInParent()
        return
    value: Any = 1 if field.enum_type else {str: "words", bytes: b"bytes", bool: True, float: 1.5}.get(_type(field), 7)
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


def _type(field: Any) -> type:
    kinds = {
        FieldDescriptor.CPPTYPE_STRING: bytes if field.type == FieldDescriptor.TYPE_BYTES else str,
        FieldDescriptor.CPPTYPE_BOOL: bool,
        FieldDescriptor.CPPTYPE_DOUBLE: float,
        FieldDescriptor.CPPTYPE_FLOAT: float,
    }
    return kinds.get(field.cpp_type, int)


def known_in_both(message: Message, other: Message) -> dict[str, Any]:
    """Scalars of `message`, by path, whose fields `other` has too."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        twin = other.DESCRIPTOR.fields_by_number.get(field.number)
        if twin is None:
            continue
        if isinstance(value, Message):
            inner = known_in_both(value, getattr(other, twin.name))
            found |= {f"{field.number}.{path}": each for path, each in inner.items()}
        else:
            found[str(field.number)] = value
    return found


def bodies(name: str) -> list[str]:
    kind = getattr(events_pb2, name).DESCRIPTOR
    return [field.name for oneof in kind.oneofs for field in oneof.fields] or [""]


CASES = [(name, body) for name in TOPICS for body in bodies(name)]


@pytest.mark.parametrize(("name", "body"), CASES)
def test_this_build_reads_what_the_released_one_wrote(name: str, body: str) -> None:
    old = message_factory.GetMessageClass(released().FindMessageTypeByName(f"peakmesh.event.v1.{name}"))
    written = filled(old, body)
    read = getattr(events_pb2, name).FromString(written.SerializeToString())
    expected = known_in_both(written, read)
    assert len(expected) > 1
    assert known_in_both(read, written) == expected


@pytest.mark.parametrize(("name", "body"), CASES)
def test_the_released_build_reads_what_this_one_writes(name: str, body: str) -> None:
    old = message_factory.GetMessageClass(released().FindMessageTypeByName(f"peakmesh.event.v1.{name}"))
    written = filled(getattr(events_pb2, name), body)
    read = old.FromString(written.SerializeToString())
    expected = known_in_both(written, read)
    assert len(expected) > 1
    assert known_in_both(read, written) == expected
