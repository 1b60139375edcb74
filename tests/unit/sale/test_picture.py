"""What the picture's lines are made of: rates over a second, each line to its own end."""

import io

from tests.unit.sale.verdicts import samples, verdict
from tools.sale.picture import NARROW, WIDE, draw, rates, until_the_last

SAMPLES = samples()


def test_a_rate_is_over_the_last_second() -> None:
    assert [sample.offered for sample in SAMPLES] == [0, 500, 1000, 1000]
    assert rates(SAMPLES, lambda sample: sample.offered) == [0.0, 500.0, 500.0, 0.0]


def test_a_line_ends_where_its_last_one_came() -> None:
    assert [sample.at for sample in until_the_last(SAMPLES, lambda sample: sample.accepted)] == [0.0, 1.0, 2.0, 6.0]
    assert [sample.at for sample in until_the_last(SAMPLES, lambda sample: sample.errors)] == [0.0, 1.0, 2.0]
    assert list(until_the_last(SAMPLES, lambda sample: sample.persisted)) == SAMPLES


def test_either_format_is_drawn_to_its_width() -> None:
    sizes = []
    for form in (WIDE, NARROW):
        held = io.BytesIO()
        draw(SAMPLES, verdict(), held, form)
        sizes.append(int.from_bytes(held.getvalue()[16:20], "big"))
    assert sizes == [1600, 775]
