"""How many values of a sample may be above a high quantile of another one by chance alone."""

from math import comb

RISK = 0.01


def most_by_chance(rank: int, healthy: int, faulty: int) -> int:
    """Of `faulty` values from the distribution that `healthy` others are from: how many at most are above the `rank`-th
    largest of those, but for one case in a hundred.

    Every order of all the values is as likely as any other, so it is counted, whatever the distribution: P(X = x) =
    C(x+r-1, x) C(m-r+n-x, n-x) / C(m+n, n). E. J. Gumbel and H. von Schelling, The Distribution of the Number of
    Exceedances, Annals of Mathematical Statistics 21 (1950).
    """
    every, within, most = comb(healthy + faulty, faulty), 0, -1
    while within / every < 1 - RISK:
        most += 1
        within += comb(most + rank - 1, most) * comb(healthy - rank + faulty - most, faulty - most)
    return most
