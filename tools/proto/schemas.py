"""Messages as JSON Schema, in the form the gateway's transcoder reads and writes them."""

from collections.abc import Mapping, Set
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

_WELL_KNOWN: dict[str, dict[str, Any]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "examples": ["1.5s"]},
}
# 64 bits are text in JSON: a browser's numbers end at 53.
_SCALARS: dict[int, dict[str, Any]] = {
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "minimum": 0},
    FieldDescriptor.CPPTYPE_INT64: {"type": "string", "format": "int64"},
    FieldDescriptor.CPPTYPE_UINT64: {"type": "string", "format": "uint64"},
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number"},
}
_BYTES = {"type": "string", "contentEncoding": "base64"}


class Schemas:
    """Collects the components that what was asked for refers to."""

    def __init__(self, comments: Mapping[str, str]) -> None:
        self.components: dict[str, Any] = {}
        self._comments = comments

    def said(self, name: str) -> dict[str, str]:
        return {"description": self._comments[name]} if name in self._comments else {}

    def message(self, message: Any) -> dict[str, Any]:
        """A reference to the message, which from now on is among the components."""
        name = str(message.full_name)
        if name in _WELL_KNOWN:
            return _WELL_KNOWN[name]
        if name not in self.components:
            self.components[name] = {}  # a message may hold itself
            fields = {field.name: self.field(field) for field in message.fields}
            # Fields that are not here are refused.
            shape = {"type": "object", **self.said(name), "properties": fields, "additionalProperties": False}
            self.components[name] = shape
        return {"$ref": f"#/components/schemas/{name}"}

    def body(self, message: Any, in_path: Set[str]) -> dict[str, Any]:
        """What the path gives is refused in the body, even where it is the same."""
        if not in_path:
            return self.message(message)
        fields = {field.name: self.field(field) for field in message.fields if field.name not in in_path}
        return {"type": "object", **self.said(message.full_name), "properties": fields, "additionalProperties": False}

    def field(self, field: Any) -> dict[str, Any]:
        return {**self.shape(field), **self.said(field.full_name)}

    def shape(self, field: Any) -> dict[str, Any]:
        """Without its comment."""
        inner = field.message_type
        if inner is not None and inner.GetOptions().map_entry:
            return {"type": "object", "additionalProperties": self._single(inner.fields_by_name["value"])}
        single = self._single(field)
        return {"type": "array", "items": single} if field.is_repeated else single

    def _single(self, field: Any) -> dict[str, Any]:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self._enum(field.enum_type)
        return _BYTES if field.type == FieldDescriptor.TYPE_BYTES else _SCALARS[field.cpp_type]

    def _enum(self, enum: Any) -> dict[str, Any]:
        name = str(enum.full_name)
        if name not in self.components:
            values = [value.name for value in enum.values]
            told = [f"`{value}`: {self._comments.get(f'{name}.{value}', '')}" for value in values]
            words = "\n".join([self._comments.get(name, ""), *told])
            self.components[name] = {"type": "string", "enum": values, "description": words}
        return {"$ref": f"#/components/schemas/{name}"}
