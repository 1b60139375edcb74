"""What is final under a request_id, and that an outcome comes back as it was stored."""

import pytest

from checkout_svc.line_outcome import Outcome, Refusal, decode, encode, is_final, refusal_of
from checkout_svc.purchase import NO_PROMOTION, UNAVAILABLE, Answer, Promotion, PromotionState, refused
from meshkit.errors import BY_REASON, DependencyUnavailable, InvalidFields, Overloaded, PeakmeshError

OPEN = {"DEPENDENCY_UNAVAILABLE", "FEATURE_DISABLED", "PROMOTION_UNAVAILABLE", "OVERLOADED", "DEADLINE", "INTERNAL"}


def error_of(kind: type[PeakmeshError]) -> PeakmeshError:
    if issubclass(kind, DependencyUnavailable):
        return kind("redis")
    return kind([("sku", "bad")]) if issubclass(kind, InvalidFields) else kind("words")


def test_exactly_what_may_yet_become_an_order_is_not_final() -> None:
    assert {reason for reason, kind in BY_REASON.items() if not refusal_of(error_of(kind)).final} == OPEN
    assert is_final(Answer("o", True, 1, NO_PROMOTION, "EUR"))
    assert not is_final(Answer("o", False, 1, NO_PROMOTION, "EUR"))


@pytest.mark.parametrize(
    "outcome",
    [
        Answer("order-1", True, 1_800_000_000_000, NO_PROMOTION, "EUR"),
        Answer("order-1", True, 0, Promotion(PromotionState.APPLIED, 250), "USD"),
        Answer("order-1", True, 0, refused('the "voucher" | ä has expired'), "EUR"),
        Answer("order-1", True, 0, UNAVAILABLE, "EUR"),
        Refusal("SOLD_OUT", "sold out", {"available": "3"}),
        refusal_of(Overloaded("much", retry_after=1.5)),
    ],
)
def test_an_outcome_comes_back_as_it_was_stored(outcome: Outcome) -> None:
    text = encode(outcome)
    assert text[0] == ("R" if isinstance(outcome, Refusal) else "A")
    assert decode(text) == outcome


def test_a_newer_versions_field_is_passed_over_and_nonsense_is_refused() -> None:
    assert decode(encode(Refusal("A", "b"))[:-1] + ', "newer": 1}') == Refusal("A", "b")
    for text in ("", "A", "A[]", "R{}", 'A{"order_id": "x"}', "Rnull"):
        with pytest.raises(ValueError, match=r"."):
            decode(text)
