"""The seed of a random test: another one each run, printed, and given back by the environment."""

import os
import random

VARIABLE = "PEAKMESH_TEST_SEED"


def new_seed() -> int:
    given = os.environ.get(VARIABLE)
    seed = random.randrange(10**6) if given is None else int(given)
    print(f"{VARIABLE}={seed}")
    return seed
