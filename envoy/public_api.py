"""The public RPCs, read from the contracts: whatever carries `google.api.http`, and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.rpc import error_details_pb2

from peakmesh.event.v1 import events_pb2

_VERBS = ("get", "put", "post", "delete", "patch")


@dataclass(frozen=True)
class Binding:
    """One HTTP rule of a method: `POST /v1/orders`. `body`: the message that the body is; empty where there is none."""

    verb: str
    path: str
    body: str
    method: Any

    @property
    def rpc(self) -> str:
        return f"/{self.method.containing_service.full_name}/{self.method.name}"


def contracts() -> Iterator[Any]:
    """The file descriptor of every generated contract."""
    root = Path(events_pb2.__file__).parents[3]
    for file in sorted(root.glob("peakmesh/**/*_pb2.py")):
        yield import_module(".".join(file.relative_to(root).with_suffix("").parts)).DESCRIPTOR


def services() -> list[Any]:
    found = [service for file in contracts() for service in file.services_by_name.values()]
    return sorted(found, key=lambda service: str(service.full_name))


def bindings() -> list[Binding]:
    return [bound for service in services() for method in service.methods if (bound := _binding(method))]


def public_methods() -> Mapping[str, list[str]]:
    """Full service name → names of its public methods."""
    found: dict[str, list[str]] = {}
    for bound in bindings():
        found.setdefault(bound.method.containing_service.full_name, []).append(bound.method.name)
    return found


def descriptor_set() -> bytes:
    """What Envoy's transcoder reads: the contracts, what they import, and the types inside an error's details."""
    files: dict[str, Any] = {}
    for file in (*contracts(), error_details_pb2.DESCRIPTOR):
        _add(file, files)
    made = FileDescriptorSet()
    for file in files.values():
        made.file.add().ParseFromString(file.serialized_pb)
    return made.SerializeToString(deterministic=True)


def _add(file: Any, files: dict[str, Any]) -> None:
    """A file after what it imports."""
    for needed in file.dependencies:
        _add(needed, files)
    files.setdefault(file.name, file)


def _binding(method: Any) -> Binding | None:
    """Raises ValueError for a rule that the filter before the transcoder could not hold a request to."""
    options = method.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return None
    rule = options.Extensions[annotations_pb2.http]
    verb = next(verb for verb in _VERBS if getattr(rule, verb))
    if rule.body not in ("", "*") or rule.additional_bindings or "=" in getattr(rule, verb):
        raise ValueError(f"{method.full_name}: the body is `*` or none, a variable one segment, the path one")
    body = method.input_type.full_name if rule.body else ""
    return Binding(verb.upper(), getattr(rule, verb), body, method)
