"""openapi.json from the contracts: what carries `google.api.http`, with the contracts' own comments.

Written here since the kept generators are protoc plugins in Go; it describes what Envoy's transcoder does with this
mesh's settings (the contract's field names, unknown fields refused, errors as google.rpc.Status).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from envoy.public_api import Binding, bindings
from tools.proto.comments import read_comments
from tools.proto.failures import ERROR, failures
from tools.proto.schemas import Schemas

_VARIABLE = re.compile(r"\{([^}=]+)[^}]*\}")


def write_openapi(image: Path, target: Path) -> None:
    target.write_text(json.dumps(openapi(bindings(), read_comments(image)), indent=1, ensure_ascii=False) + "\n")


def openapi(public: Sequence[Binding], comments: Mapping[str, str]) -> dict[str, Any]:
    schemas = Schemas(comments)
    paths: dict[str, dict[str, Any]] = {}
    for bound in public:
        paths.setdefault(bound.path, {})[bound.verb.lower()] = _operation(bound, schemas, comments)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Peakmesh", "version": "1", "description": "The shop's public API, as JSON."},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": dict(sorted(schemas.components.items())) | {"Error": ERROR},
        },
    }


def _operation(bound: Binding, schemas: Schemas, comments: Mapping[str, str]) -> dict[str, Any]:
    method = bound.method
    words = schemas.said(method.full_name)
    operation: dict[str, Any] = {
        "operationId": method.name,
        "tags": [method.containing_service.name],
        **words,
        "parameters": list(_parameters(bound, schemas)),
        "responses": {
            "200": _answer(method, schemas),
            **failures(words.get("description", ""), comments),
        },
    }
    if bound.body:
        body = schemas.body(method.input_type, set(_VARIABLE.findall(bound.path)))
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _answer(method: Any, schemas: Schemas) -> dict[str, Any]:
    """A stream has the same content type, as Envoy says it."""
    words = "A stream: one JSON object a line." if method.server_streaming else "Done."
    return {"description": words, "content": {"application/json": {"schema": schemas.message(method.output_type)}}}


def _parameters(bound: Binding, schemas: Schemas) -> Iterator[dict[str, Any]]:
    in_path = _VARIABLE.findall(bound.path)
    fields = bound.method.input_type.fields_by_name
    for name in in_path:
        yield {"name": name, "in": "path", "required": True, **_described(fields[name], schemas)}
    if not bound.body:
        for field in fields.values():
            if field.name not in in_path:
                yield from _query(field, "", schemas)


def _query(field: Any, prefix: str, schemas: Schemas) -> Iterator[dict[str, Any]]:
    """A message's fields are parameters of their own: `max_price.units`."""
    inner = field.message_type
    if inner is None or inner.full_name.startswith("google.protobuf."):
        yield {"name": prefix + field.name, "in": "query", **_described(field, schemas)}
        return
    for each in inner.fields:
        yield from _query(each, f"{prefix}{field.name}.", schemas)


def _described(field: Any, schemas: Schemas) -> dict[str, Any]:
    return {**schemas.said(field.full_name), "schema": schemas.shape(field)}
