"""What the contracts say of themselves: full name → the comment above it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

# Field numbers of descriptor.proto, of which a location's path is made.
_MESSAGE, _ENUM, _SERVICE, _IN_MESSAGE, _NESTED, _IN_ENUM, _IN_SERVICE = 4, 5, 6, 2, 3, 2, 2


def read_comments(image: Path) -> Mapping[str, str]:
    """`image` is made by protoc with --include_source_info."""
    found: dict[str, str] = {}
    for file in FileDescriptorSet.FromString(image.read_bytes()).file:
        said = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
        for path, name in _names(file):
            if said.get(path):
                found[f"{file.package}.{name}"] = " ".join(said[path].split())
    return found


def _names(file: Any) -> Iterator[tuple[tuple[int, ...], str]]:
    for number, message in enumerate(file.message_type):
        yield from _of_message((_MESSAGE, number), message, message.name)
    for number, enum in enumerate(file.enum_type):
        yield (_ENUM, number), enum.name
        yield from (((_ENUM, number, _IN_ENUM, at), f"{enum.name}.{value.name}") for at, value in enumerate(enum.value))
    for number, service in enumerate(file.service):
        yield (_SERVICE, number), service.name
        for at, method in enumerate(service.method):
            yield (_SERVICE, number, _IN_SERVICE, at), f"{service.name}.{method.name}"


def _of_message(path: tuple[int, ...], message: Any, name: str) -> Iterator[tuple[tuple[int, ...], str]]:
    yield path, name
    for at, field in enumerate(message.field):
        yield (*path, _IN_MESSAGE, at), f"{name}.{field.name}"
    for at, nested in enumerate(message.nested_type):
        yield from _of_message((*path, _NESTED, at), nested, f"{name}.{nested.name}")
