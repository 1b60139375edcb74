"""What is waited for, how long, and what is not."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, Counter

from meshkit.patience import every, retry_forever


class Given:
    """Answers in order; an exception is raised."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.waits: list[float] = []

    @property
    def left(self) -> int:
        return len(self._answers)

    async def work(self) -> object:
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)


def is_outage(error: Exception) -> bool:
    return isinstance(error, OSError)


async def test_an_outage_is_waited_out_with_waits_that_grow_to_the_longest() -> None:
    given = Given(*[OSError()] * 7, "done")
    registry = CollectorRegistry()
    waits = Counter("waits", "", ["what"], registry=registry)
    assert await retry_forever("kafka", given.work, is_outage, wait=given.wait, waits=waits) == "done"
    assert given.waits == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0]
    assert registry.get_sample_value("waits_total", {"what": "kafka"}) == 7


@pytest.mark.parametrize("before", [[], [OSError()]])
async def test_what_does_not_pass_is_raised_at_once(before: Sequence[Exception]) -> None:
    given = Given(*before, ValueError("not the server's fault"), "never asked for")
    with pytest.raises(ValueError, match="not the server's fault"):
        await retry_forever("kafka", given.work, is_outage, wait=given.wait)
    assert len(given.waits) == len(before)


async def test_a_wait_that_raises_gives_up() -> None:
    class Stopped(Exception):
        pass

    async def stop(_seconds: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        await retry_forever("kafka", Given(OSError()).work, is_outage, wait=stop)


async def test_an_outage_is_left_to_the_next_turn_and_any_other_error_ends_the_turns() -> None:
    given = Given("done", OSError(), KeyError(), "done", ValueError("a fault of ours"), "never asked for")
    with pytest.raises(ValueError, match="a fault of ours"):
        await every(0.0, "upkeep", given.work, OSError, KeyError)
    assert given.left == 1
