"""Which RPCs are public, and that what is said of them holds together."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from envoy.json_fields import path_pattern
from envoy.public_api import bindings, public_methods
from meshkit.errors import BY_REASON

ROOT = Path(__file__).resolve().parents[2]
PRIVATE = ("peakmesh.ops.", "peakmesh.provider.", "peakmesh.event.")


def test_no_operators_or_providers_rpc_has_a_public_path() -> None:
    assert [bound.rpc for bound in bindings() if bound.rpc.lstrip("/").startswith(PRIVATE)] == []
    assert "peakmesh.checkout.v1.CheckoutService" in public_methods()


def test_each_verb_and_path_is_one_method() -> None:
    places = [(bound.verb, bound.path) for bound in bindings()]
    assert len(places) == len(set(places))
    assert all(path.startswith("/v1/") for _, path in places)


def test_openapi_is_valid_and_refers_to_what_it_has() -> None:
    page: Any = json.loads((ROOT / "generated" / "openapi.json").read_text())
    validate(page)
    for verbs in page["paths"].values():
        for operation in verbs.values():
            assert operation["description"], operation["operationId"]
            assert {"200", "400", "401", "403", "413", "429", "500", "503", "504"} < operation["responses"].keys()


def test_openapi_tells_each_reason_that_a_methods_comment_names() -> None:
    page: Any = json.loads((ROOT / "generated" / "openapi.json").read_text())
    order = page["paths"]["/v1/orders"]["post"]["responses"]
    assert "`SOLD_OUT`: not enough units are left." in order["400"]["description"]
    assert "`REQUEST_ID_REUSED`" in order["409"]["description"]
    for verbs in page["paths"].values():
        for operation in verbs.values():
            named = set(re.findall(r"\b[A-Z_]{6,}\b", operation["description"])) & set(BY_REASON)
            told = " ".join(response["description"] for response in operation["responses"].values())
            assert [reason for reason in named if f"`{reason}`: " not in told] == []


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        ("/v1/orders", "^/v1/orders()$"),
        ("/v1/orders/{order_id}:cancel", "^/v1/orders/([^/:]+):cancel$"),
        ("/v1/cart/items/{sale_id}/{sku}", "^/v1/cart/items/([^/:]+)/([^/:]+)$"),
        ("/v1/a-b.c", "^/v1/a%-b%.c()$"),
    ],
)
def test_a_path_as_envoys_filter_matches_it(template: str, pattern: str) -> None:
    assert path_pattern(template) == pattern
