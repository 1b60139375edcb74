"""Builds of the contracts beside the current one: messages by full name, each filled with something everywhere."""

import importlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto
from google.protobuf.message import Message

ROOT = Path(__file__).resolve().parents[2]
GENERATED = ROOT / "generated" / "python"
RELEASED = ROOT / "protos" / "released.binpb"
DEPTH = 4
ADDED_NUMBER = 1000

Build = dict[str, type[Message]]


def current_files() -> list[FileDescriptorProto]:
    """Every file of this build, after the files it imports."""
    found: dict[str, FileDescriptorProto] = {}

    def add(file: Any) -> None:
        for needed in file.dependencies:
            add(needed)
        if file.name not in found:
            found[file.name] = FileDescriptorProto()
            file.CopyToProto(found[file.name])

    for path in sorted(GENERATED.rglob("*_pb2.py")):
        add(importlib.import_module(".".join(path.relative_to(GENERATED).with_suffix("").parts)).DESCRIPTOR)
    return list(found.values())


def released_files() -> list[FileDescriptorProto]:
    return list(descriptor_pb2.FileDescriptorSet.FromString(RELEASED.read_bytes()).file)


def grown(files: Iterable[FileDescriptorProto]) -> list[FileDescriptorProto]:
    """The next release: a new field in every message of ours."""
    made = []
    for file in files:
        copy = FileDescriptorProto()
        copy.CopyFrom(file)
        if _ours(copy.name):
            for message in copy.message_type:
                _grow(message)
        made.append(copy)
    return made


def _grow(message: DescriptorProto) -> None:
    if not message.options.map_entry:
        kind, label = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.LABEL_OPTIONAL
        message.field.add(name="added_in_the_next_release", number=ADDED_NUMBER, type=kind, label=label)
    for nested in message.nested_type:
        _grow(nested)


def _ours(name: str) -> bool:
    return name.startswith("peakmesh")


def build(files: Iterable[FileDescriptorProto]) -> Build:
    """Every message of ours by its full name; a map's entry is part of its message."""
    pool = descriptor_pool.DescriptorPool()
    names = []
    for file in files:
        pool.Add(file)
        if _ours(file.name):
            names.append(file.name)
    every = (
        each for name in names for top in pool.FindFileByName(name).message_types_by_name.values() for each in _in(top)
    )
    return {each.full_name: message_factory.GetMessageClass(each) for each in every}


def _in(kind: Descriptor) -> Iterator[Descriptor]:
    if not kind.GetOptions().map_entry:
        yield kind
    for nested in kind.nested_types:
        yield from _in(nested)


def members(kind: type[Message]) -> list[str]:
    """One name for each member of its oneofs; "" where it has none."""
    return [field.name for oneof in kind.DESCRIPTOR.oneofs for field in oneof.fields] or [""]


def filled(kind: type[Message], member: str = "", depth: int = DEPTH) -> Message:
    """Every field set; of a oneof `member` alone."""
    made = kind()
    for field in made.DESCRIPTOR.fields:
        if field.containing_oneof is None or field.name == member or not member:
            _fill(made, field, depth)
    return made


def _fill(message: Any, field: Any, depth: int) -> None:
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        getattr(message, field.name)["key"] = "value"
    elif field.message_type is not None:
        if depth:
            target = getattr(message, field.name)
            inner = target.add() if field.is_repeated else target
            inner.MergeFrom(filled(type(inner), depth=depth - 1))
            inner.SetInParent()
    elif field.is_repeated:
        getattr(message, field.name).append(_value(field))
    else:
        setattr(message, field.name, _value(field))


def _value(field: Any) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return b"bytes"
    kinds = {
        FieldDescriptor.CPPTYPE_STRING: "words",
        FieldDescriptor.CPPTYPE_BOOL: True,
        FieldDescriptor.CPPTYPE_DOUBLE: 1.5,
        FieldDescriptor.CPPTYPE_FLOAT: 1.5,
        FieldDescriptor.CPPTYPE_ENUM: 1,
    }
    return kinds.get(field.cpp_type, 7)
