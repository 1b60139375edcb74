from collections.abc import Iterator

import pytest

from tests.mysql8 import only_mysql8


@pytest.fixture(scope="session", autouse=True)
def _mysql8() -> Iterator[None]:
    with only_mysql8():
        yield
