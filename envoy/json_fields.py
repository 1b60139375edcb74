"""What JSON may hold, as Lua tables for `lua/`: Envoy's transcoder drops what it does not know, and a buyer who wrote
`quantitty` would be sold one unit."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field

from envoy.public_api import Binding

_LUA = Path(__file__).parent / "lua"
_WELL_KNOWN = "google.protobuf."
_WITH_A_TEXT_OF_ITS_OWN = {"google.protobuf.Timestamp": "timestamp", "google.protobuf.Duration": "duration"}
_VARIABLE = re.compile(r"\{([^}]*)\}")
_LUA_MAGIC = re.compile(r"([\^$()%.\[\]*+\-?])")
_KINDS = {
    Field.CPPTYPE_INT32: "int32",
    Field.CPPTYPE_UINT32: "uint32",
    Field.CPPTYPE_INT64: "int64",
    Field.CPPTYPE_UINT64: "uint64",
    Field.CPPTYPE_DOUBLE: "double",
    Field.CPPTYPE_FLOAT: "double",
    Field.CPPTYPE_BOOL: "bool",
    Field.CPPTYPE_ENUM: "enum",
    Field.CPPTYPE_MESSAGE: "message",
}


def filter_source(bindings: Iterable[Binding]) -> str:
    """The Lua filter before the transcoder, the contracts' tables first."""
    return lua_tables(bindings) + "".join((_LUA / f"{part}.lua").read_text() for part in ("decode", "check", "gate"))


def lua_tables(bindings: Iterable[Binding]) -> str:
    """`ROUTES`: list of {verb, pattern, variables, bound, message, body}. `MESSAGES`: message → field by either of its
    names → {name, kind, type, many}. `ENUMS`: enum → {names, values}."""
    known = list(bindings)
    messages = {each.full_name: each for bound in known for each in _reachable(bound.method.input_type)}
    enums = {field.enum_type.full_name: field.enum_type for each in messages.values() for field in _enums(each)}
    tables = {
        "ROUTES": [_route(bound) for bound in known],
        "MESSAGES": {name: _fields(message) for name, message in sorted(messages.items())},
        "ENUMS": {name: _enum(enum) for name, enum in sorted(enums.items())},
    }
    return "".join(f"local {name} = {_lua(table)}\n" for name, table in tables.items())


def path_pattern(template: str) -> str:
    """`/v1/orders/{order_id}:cancel` as a Lua pattern; a variable is one segment, captured. A path without variables
    captures its end: a Lua match has at least one capture."""
    pieces = [_LUA_MAGIC.sub(r"%\1", piece) for piece in _VARIABLE.split(template)[::2]]
    return "^" + "([^/:]+)".join(pieces) + ("$" if len(pieces) > 1 else "()$")


def _route(bound: Binding) -> Mapping[str, Any]:
    variables = _VARIABLE.findall(bound.path)
    return {
        "verb": bound.verb,
        "pattern": path_pattern(bound.path),
        "variables": variables,
        "bound": dict.fromkeys(variables, True),
        "message": bound.method.input_type.full_name,
        "body": bool(bound.body),
    }


def _reachable(message: Any) -> Iterator[Any]:
    seen: dict[str, Any] = {}
    pending = [message]
    while pending:
        found = pending.pop()
        if found.full_name in seen or found.full_name.startswith(_WELL_KNOWN):
            continue
        seen[found.full_name] = found
        pending += [field.message_type for field in found.fields if field.message_type is not None]
    return iter(seen.values())


def _enums(message: Any) -> Iterator[Any]:
    return (field for field in message.fields if field.enum_type is not None)


def _fields(message: Any) -> Mapping[str, Any]:
    """Both names of a field are welcome: the contract's and the one protobuf makes for JSON."""
    return {name: _field(field) for field in message.fields for name in (field.name, field.json_name)}


def _field(field: Any) -> Mapping[str, Any]:
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return {**_field(inner.fields_by_name["value"]), "name": field.name, "many": "map"}
    told = {"name": field.name, "kind": _kind(field)}
    if told["kind"] in ("message", "enum"):
        told["type"] = (inner if inner is not None else field.enum_type).full_name
    return told | {"many": "list"} if field.is_repeated else told


def _kind(field: Any) -> str:
    inner = field.message_type
    if inner is not None and inner.full_name.startswith(_WELL_KNOWN):
        return _WITH_A_TEXT_OF_ITS_OWN.get(inner.full_name, "any")
    if field.cpp_type == Field.CPPTYPE_STRING:
        return "bytes" if field.type == Field.TYPE_BYTES else "string"
    return _KINDS[field.cpp_type]


def _enum(enum: Any) -> Mapping[str, Any]:
    """By name or, as text, by number."""
    names = [value.name for value in enum.values]
    return {"names": ", ".join(names), "values": dict.fromkeys([*names, *(str(v.number) for v in enum.values)], True)}


def _lua(value: Any) -> str:
    """A Lua literal. The names of a contract are ASCII, where JSON's quotes and Lua's agree."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"[{json.dumps(name)}] = {_lua(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "{" + ", ".join(_lua(each) for each in value) + "}"
    return json.dumps(value)
