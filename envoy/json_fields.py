"""What a JSON body may hold, as Lua tables for `templates/json_fields.lua`: Envoy's transcoder drops what it does not
know, and a buyer who wrote `quantitty` would be sold one unit."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from envoy.public_api import Binding

# These are strings, numbers or lists in JSON, whatever their fields are called.
_WELL_KNOWN = "google.protobuf."
_VARIABLE = re.compile(r"\{[^}]*\}")
_LUA_MAGIC = re.compile(r"([\^$()%.\[\]*+\-?])")


def lua_tables(bindings: Iterable[Binding]) -> str:
    """`ROUTES`: a list of {verb, pattern of the path, message or false}. `MESSAGES`: message → field → {kind, message}.

    Kinds are scalar, object, list, and any (a map, or a message with a JSON form of its own).
    """
    known = list(bindings)
    routes = ", ".join(f"{{{_text(b.verb)}, {_text(path_pattern(b.path))}, {_text(b.body) or 'false'}}}" for b in known)
    messages = {}
    for bound in known:
        if bound.body:
            for message in _reachable(bound.method.input_type):
                messages[message.full_name] = _fields(message)
    rows = ",\n".join(f"  [{_text(name)}] = {{{fields}}}" for name, fields in sorted(messages.items()))
    return f"local ROUTES = {{{routes}}}\nlocal MESSAGES = {{\n{rows}\n}}\n"


def path_pattern(template: str) -> str:
    """`/v1/orders/{order_id}:cancel` as a Lua pattern; a variable is one segment."""
    pieces = [_LUA_MAGIC.sub(r"%\1", piece) for piece in _VARIABLE.split(template)]
    return "^" + "[^/:]+".join(pieces) + "$"


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


def _fields(message: Any) -> str:
    """Both names of a field are welcome: the contract's and the one protobuf makes for JSON."""
    held = {}
    for field in message.fields:
        inner = field.message_type
        foreign = inner is not None and (inner.full_name.startswith(_WELL_KNOWN) or inner.GetOptions().map_entry)
        looked_into = inner is not None and not foreign
        kind = "any" if foreign else "list" if field.is_repeated else "object" if looked_into else "scalar"
        for name in (field.name, field.json_name):
            held[name] = f'{{"{kind}", {_text(inner.full_name) if looked_into else "false"}}}'
    return ", ".join(f"[{_text(name)}] = {kind}" for name, kind in sorted(held.items()))


def _text(words: str) -> str:
    return '"' + words.replace("\\", "\\\\").replace('"', '\\"') + '"' if words else ""
