"""A buyer's words as an FTS5 expression. Every word is quoted, so that nothing a buyer types is an operator."""

import re
import unicodedata
from collections.abc import Callable

_BETWEEN = re.compile(r"[\W_]+")
# Each costs up to a millisecond; a query with more unknown words than that is no typo.
MOST_CORRECTED = 4


def fold(text: str) -> str:
    """Without case, accents and typographic variants; products and queries go through the same."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter)).lower()


def terms(text: str) -> list[str]:
    """The words of a text, folded, each once, in order."""
    return list(dict.fromkeys(word for word in _BETWEEN.split(fold(text)) if word))


def expression(words: list[str]) -> str:
    """Finds all of the words; the last one may be the beginning of one. At least one word."""
    return " AND ".join([f'"{word}"' for word in words]) + "*"


def near_expression(words: list[str], near: Callable[[str], list[str]]) -> str | None:
    """The same with the words that `near` finds for each; None where it finds none, or too many words are unknown."""
    found = [near(word) for word in words]
    if not 0 < sum(1 for each in found if each) <= MOST_CORRECTED:
        return None
    groups = [[f'"{word}"', *(f'"{each}"' for each in alike)] for word, alike in zip(words, found, strict=True)]
    groups[-1][0] += "*"
    return " AND ".join(f"({' OR '.join(group)})" for group in groups)
