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
from tools.proto.schemas import Schemas

_VARIABLE = re.compile(r"\{([^}=]+)[^}]*\}")
_ERROR = {
    "type": "object",
    "description": "What went wrong; docs/errors.md says for each reason what a client does.",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer", "description": "The gRPC status code."},
        "message": {"type": "string", "description": "For people."},
        "details": {
            "type": "array",
            "description": "One google.rpc.ErrorInfo (`reason`); BadRequest names fields, RetryInfo the time to wait.",
            "items": {"type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}}},
        },
    },
}


def write_openapi(image: Path, target: Path) -> None:
    target.write_text(json.dumps(openapi(bindings(), read_comments(image)), indent=1, ensure_ascii=False) + "\n")


def openapi(public: Sequence[Binding], comments: Mapping[str, str]) -> dict[str, Any]:
    schemas = Schemas(comments)
    paths: dict[str, dict[str, Any]] = {}
    for bound in public:
        paths.setdefault(bound.path, {})[bound.verb.lower()] = _operation(bound, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Peakmesh", "version": "1", "description": "The shop's public API, as JSON."},
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
            "schemas": dict(sorted(schemas.components.items())) | {"Error": _ERROR},
        },
    }


def _operation(bound: Binding, schemas: Schemas) -> dict[str, Any]:
    method = bound.method
    words = schemas.said(method.full_name)
    operation: dict[str, Any] = {
        "operationId": method.name,
        "tags": [method.containing_service.name],
        **words,
        "parameters": list(_parameters(bound, schemas)),
        "responses": {
            "200": {"description": "Done.", "content": _content(method, schemas)},
            "default": {
                "description": "Refused, or failed.",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if bound.body:
        body = schemas.message(method.input_type)
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return operation


def _content(method: Any, schemas: Schemas) -> dict[str, Any]:
    """A stream is one JSON object a line."""
    kind = "application/x-ndjson" if method.server_streaming else "application/json"
    return {kind: {"schema": schemas.message(method.output_type)}}


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
