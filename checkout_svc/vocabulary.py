"""The words of all products' names, by their trigrams."""

import json
import sqlite3
from collections.abc import Iterable

from checkout_svc.spelling import distance, trigrams, typos_allowed

_TABLES = """
CREATE TABLE word (no INTEGER PRIMARY KEY, word TEXT NOT NULL);
CREATE TABLE gram (gram TEXT, size INTEGER, word INTEGER, PRIMARY KEY (gram, size, word)) WITHOUT ROWID;
"""
_CANDIDATES = """
SELECT word.word FROM gram JOIN word ON word.no = gram.word
WHERE gram.gram IN (SELECT value FROM json_each(:grams)) AND gram.size BETWEEN :shortest AND :longest
GROUP BY gram.word ORDER BY COUNT(*) DESC, word.word LIMIT 30
"""
# Alternatives that go into the query; the nearest ones, so that what was meant is among them.
MOST_ALIKE = 5


class Vocabulary:
    """Words that no product has any more stay: as corrections they find nothing, which harms nobody."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._known: set[str] = set()
        database.executescript(_TABLES)

    def add(self, words: Iterable[str]) -> None:
        new = sorted({word for word in words if word not in self._known and typos_allowed(word + "x")})
        first = len(self._known) + 1
        self._database.executemany("INSERT INTO word VALUES (?, ?)", enumerate(new, first))
        grams = ((gram, len(word), no) for no, word in enumerate(new, first) for gram in trigrams(word))
        self._database.executemany("INSERT INTO gram VALUES (?, ?, ?)", grams)
        self._known.update(new)

    def near(self, word: str) -> list[str]:
        """The words nearest to one that is not known, if they are near enough; none for a known word."""
        most = typos_allowed(word)
        if not most or word in self._known:
            return []
        asked = {
            "grams": json.dumps(sorted(trigrams(word))),
            "shortest": len(word) - most,
            "longest": len(word) + most,
        }
        measured = [(distance(word, each, most), each) for (each,) in self._database.execute(_CANDIDATES, asked)]
        nearest = min((steps for steps, _ in measured), default=most + 1)
        return [each for steps, each in measured if steps == nearest <= most][:MOST_ALIKE]
