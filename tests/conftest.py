"""The servers that tests run against, a mesh of their own 1000 ports above one that may be running; and the figures
that tests measured, told at the end."""

import gc
import os
from collections.abc import Callable, Iterator

import pytest

from tests.mysql8 import only_mysql8
from tools import devstack
from tools.devstack.lend import servers_of
from tools.devstack.spec import ROOT
from tools.devstack.table import DATA_SERVERS, GOVERNORS

os.environ.setdefault("PEAKMESH_PORT_BASE", "1000")
os.environ.setdefault("PEAKMESH_RUN_DIR", str(ROOT / ".run" / "test"))

FIGURE = "figure"


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Tells what was measured, a sentence with its numbers, at the end of the run: pytest shows nothing of what a test
    that passes prints. For what was promised as a number; the rest is printed."""
    return lambda sentence: request.node.user_properties.append((FIGURE, sentence))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The figures by test. They travel in the reports, so that they also come from the workers of pytest-xdist."""
    reports = [each for found in terminalreporter.stats.values() for each in found]
    ends = [each for each in reports if isinstance(each, pytest.TestReport) and each.when == "teardown"]
    told = {each.nodeid: [said for name, said in each.user_properties if name == FIGURE] for each in ends}
    if any(told.values()):
        terminalreporter.section("figures")
    for test, sentences in sorted(told.items()):
        for line in [test.removeprefix("tests/"), *(f"    {each}" for each in sentences)] if sentences else ():
            terminalreporter.line(line)


@pytest.fixture(scope="module", autouse=True)
def _heap_at_rest() -> None:
    """What thousands of tests have imported is no garbage: to look through it takes 0.12 to 0.19 s, at a moment that
    nobody chose, and a call in this process with 45 ms to its deadline would be late."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _mysql8() -> Iterator[None]:
    """For every session: what a tool reads of a whole mesh is held to it too."""
    with only_mysql8():
        yield


@pytest.fixture(scope="session")
def stack() -> Iterator[devstack.Mesh]:
    """Where the mesh of this session lives; nothing is started. What the session started is stopped with it."""
    found = devstack.is_up()
    yield devstack.Mesh.of()
    if not found:
        devstack.down()


@pytest.fixture(scope="session")
def data_servers(stack: devstack.Mesh) -> devstack.Mesh:
    """Redis, MariaDB with its schema, Kafka with its topics; none of our processes."""
    devstack.up(only=[*DATA_SERVERS, "migrate", "topics", "identity"])
    return stack


@pytest.fixture(scope="session")
def servers(stack: devstack.Mesh) -> devstack.Mesh:
    """Where Redis, MariaDB and Kafka run, to be stopped and killed: another mesh where they were given by URL."""
    return servers_of(stack)


@pytest.fixture(scope="session")
def mesh(stack: devstack.Mesh) -> devstack.Mesh:
    """Every process of the mesh. Its governor, and a standby that a test starts, switch nothing by load: on a slow
    machine features would go off under tests that ask for them."""
    devstack.up(env={name: {"PEAKMESH_GOVERNOR_DRY_RUN": "true"} for name in GOVERNORS})
    return stack
