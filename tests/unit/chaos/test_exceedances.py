"""What chance may do to a p99, against samples that are drawn."""

import random

import pytest

from tests.seeds import new_seed
from tools.chaos.exceedances import most_by_chance


@pytest.mark.parametrize(("rank", "healthy", "faulty"), [(4, 320, 330), (7, 600, 500), (1, 20, 40)])
def test_so_many_are_above_by_chance_in_all_but_one_of_a_hundred_samples(rank: int, healthy: int, faulty: int) -> None:
    dice, above = random.Random(new_seed()), []
    for _ in range(3_000):
        bound = sorted(dice.random() for _ in range(healthy))[-rank]
        above.append(sum(dice.random() > bound for _ in range(faulty)))
    most = most_by_chance(rank, healthy, faulty)
    share = sum(count > most for count in above) / len(above)
    assert share < 0.02, f"{share:.1%} of the samples have more than {most}"
    assert sum(count > most // 2 for count in above) / len(above) > 0.01, "half of it would be too few"
