"""What a scenario may assert, each judged from the timeline with the number that decided it."""

from typing import Annotated

from pydantic import Field

from tools.chaos.expect_breakers import BreakerOpens, Ejects, NeverEjects, Probes
from tools.chaos.expect_calls import P99, Answers, Back, Settles, Sheds, Succeeds

Expectation = Annotated[
    Succeeds | P99 | Answers | Sheds | Back | BreakerOpens | Probes | Ejects | NeverEjects | Settles,
    Field(discriminator="expect"),
]
