"""Words spelled nearly alike: trigrams find the candidates, the edit distance decides."""

LONGEST = 32


def trigrams(word: str) -> set[str]:
    """Padded, so that a typo in the middle of a short word leaves its beginning and end to be found by."""
    padded = f"  {word} "
    return {padded[i : i + 3] for i in range(len(padded) - 2)}


def typos_allowed(word: str) -> int:
    """As search engines do: a letter in a word of four, two in a word of eight. With a digit, none: the next model's
    number is another product."""
    if not word.isalpha() or len(word) > LONGEST:
        return 0
    return (len(word) >= 4) + (len(word) >= 8)


def distance(one: str, other: str, most: int) -> int:
    """Letters added, left out, changed, or swapped with their neighbour; any number over `most` where it is over."""
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        before, above, row = row, before, [i]
        for j, match in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (letter != match))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == match:
                cost = min(cost, above[j - 2] + 1)
            row.append(cost)
        if min(row) > most and min(before) > most:
            break
    return max(row[-1], len(other) - len(one), min(row))
