"""The flag file: flagd's own format, complete, and of nothing that must live."""

import json
from datetime import date

from openfeature.contrib.tools.flagd.core import FlagdCore

from envoy.public_api import bindings
from kernel.features import VERSION_KEY, defaults, disabled, features, flag_document, flag_file, runtime_document

FEATURES = ["purchase-history", "seller-analytics", "recommendations", "avatar-updates", "promotions"]
# Of promotions a quote goes with an order: checkout does without it, the RPC itself answers.
CORE = (
    "/peakmesh.checkout.",
    "/peakmesh.promotion.v1.PromotionService/QuotePromotion",
    "/peakmesh.ops.",
    "/peakmesh.provider.",
)


def test_every_flag_says_who_owns_it_what_off_does_and_when_it_goes() -> None:
    assert list(features()) == FEATURES
    for feature in features().values():
        assert feature.owner
        assert len(feature.when_off) > 10
        assert date.fromisoformat(feature.remove_by) > date(2026, 11, 1)
        assert feature.rpcs


def test_flagds_own_evaluator_reads_the_file_and_what_is_served_of_it() -> None:
    core = FlagdCore()
    core.set_flags_and_get_changed_keys(json.dumps(flag_file()))
    assert {name: core.resolve_boolean_value(name, False).value for name in features()} == defaults()
    states = defaults() | {"recommendations": False}
    core.set_flags_and_get_changed_keys(flag_document(states))
    assert {name: core.resolve_boolean_value(name, True).value for name in features()} == states
    assert flag_file()["flags"]["recommendations"]["defaultVariant"] == "on"


def test_nothing_of_search_cart_and_checkout_can_be_switched_off() -> None:
    rpcs = [rpc for feature in features().values() for rpc in feature.rpcs]
    assert len(rpcs) == len(set(rpcs))
    assert not [rpc for rpc in rpcs if rpc.startswith(CORE)]
    assert "/peakmesh.order.v1.OrderService/GetOrder" not in rpcs
    public = {bound.rpc for bound in bindings()}
    assert "/peakmesh.order.v1.OrderService/ListOrders" in public & set(rpcs)


def test_envoys_file_says_of_each_feature_how_many_calls_in_a_hundred_are_refused() -> None:
    [runtime] = json.loads(runtime_document(defaults() | {"avatar-updates": False}))["resources"]
    assert runtime["layer"].pop(VERSION_KEY) == "0-0"
    assert set(runtime["layer"]) == {feature.runtime_key for feature in features().values()}
    assert {key for key, share in runtime["layer"].items() if share == 100} == {"feature_off.avatar-updates"}
    assert set(runtime["layer"].values()) == {0, 100}


def test_a_client_is_told_which_feature_and_when_to_come_back() -> None:
    error = disabled("recommendations")
    assert (error.reason, error.metadata, error.retry_after) == ("FEATURE_DISABLED", {"feature": "recommendations"}, 30)
