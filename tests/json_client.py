"""A JSON client of the gateway: no library of ours, as a stranger's would be."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


@dataclass(frozen=True)
class JsonAnswer:
    """`body` is what the JSON says; None where it is none."""

    status: int
    kind: str
    body: Any
    retry_after: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        found: str = next(each["reason"] for each in self.body["details"] if each["@type"].endswith("ErrorInfo"))
        return found

    @property
    def fields(self) -> list[str]:
        violations = [each.get("field_violations", []) for each in self.body["details"]]
        return [each["field"] for listed in violations for each in listed]


async def ask(url: str, token: str = "", verb: str = "GET", body: Any = None, **headers: str) -> JsonAnswer:
    """`body`: bytes as they are, anything else as JSON."""
    said = {"authorization": f"Bearer {token}"} if token else {}
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    if data is not None:
        said["content-type"] = "application/json"
    return await asyncio.to_thread(_ask, Request(url, data, said | headers, method=verb))  # noqa: S310


def _ask(request: Request) -> JsonAnswer:
    try:
        with urlopen(request, timeout=10) as answer:  # noqa: S310
            return _answer(answer.status, answer)
    except HTTPError as error:
        with error:
            return _answer(error.code, error)


def _answer(status: int, answer: Any) -> JsonAnswer:
    raw = answer.read()
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    said = {name.lower(): value for name, value in answer.headers.items()}
    return JsonAnswer(status, said.get("content-type", ""), body, said.get("retry-after", ""), said)
