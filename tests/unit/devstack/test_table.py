"""The declared processes: an order to start them in exists, and two meshes do not meet on a port."""

from pathlib import Path

import pytest

from meshkit.ports import Ports
from tools.devstack.order import by_name, closure, dependents, topological
from tools.devstack.spec import DevstackError, Mesh, ProcessSpec
from tools.devstack.table import TABLE, lazily, usual


def row(name: str, *depends_on: str) -> ProcessSpec:
    return ProcessSpec(name, argv=lambda _: ["true"], depends_on=depends_on)


def test_every_process_starts_after_what_it_needs() -> None:
    table = by_name(TABLE)
    order = topological(table)
    assert sorted(order) == sorted(table)
    for name, spec in table.items():
        for needed in spec.depends_on:
            assert order.index(needed) < order.index(name), f"{name} before {needed}"


def test_names_and_ports_are_declared_once() -> None:
    names = [spec.name for spec in TABLE]
    ports = [port for spec in TABLE for port in spec.ports]
    assert len(names) == len(set(names))
    assert len(ports) == len(set(ports))


def test_every_port_of_the_mesh_belongs_to_a_process() -> None:
    assert {port for spec in TABLE for port in spec.ports} == set(Ports().all())


def test_a_mesh_and_the_mesh_of_the_tests_share_no_port() -> None:
    first, second = set(Ports(0).all().values()), set(Ports(1000).all().values())
    assert len(first) == len(Ports().all())
    assert not first & second


def test_a_mesh_has_two_of_what_buyers_need_and_of_the_rest_where_it_is_asked_to() -> None:
    few, all_of_it = usual(Mesh(Path("x"), 0)), usual(Mesh(Path("x"), 0, pairs=True))
    more = ["engagement_svc_1", "promo_svc_1", "governor_1", "order_worker_1", "payment_worker_1"]
    assert [*few, *more] == all_of_it == [spec.name for spec in TABLE]
    assert {"checkout_svc_0", "checkout_svc_1", "order_serve_0", "order_serve_1"} < set(few)


def test_each_of_two_is_told_which_it_is() -> None:
    table = by_name(TABLE)
    for name in ("promo_svc", "engagement_svc", "governor", "order_worker", "payment_worker"):
        first, second = table[name], table[f"{name}_1"]
        assert (first.env["PEAKMESH_INSTANCE"], second.env["PEAKMESH_INSTANCE"]) == ("0", "1")
        assert first.argv(Mesh(Path("x"), 0)) == second.argv(Mesh(Path("x"), 0))
        assert (first.depends_on, first.nice) == (second.depends_on, second.nice)


def test_every_process_says_when_it_is_ready() -> None:
    assert [spec.name for spec in TABLE if not (spec.once or spec.call or spec.probe)] == []


def test_a_choice_brings_what_it_needs_and_nothing_else() -> None:
    table = by_name([row("a"), row("b", "a"), row("c", "b"), row("d")])
    assert closure(table, ["c"]) == ["a", "b", "c"]
    assert closure(table, ["d"]) == ["d"]
    assert dependents(table, "a") == {"b"}


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(DevstackError, match=r"no process redis2: choose from redis, mariadb, kafka"):
        closure(by_name(TABLE), ["redis2"])


def test_a_circle_is_named() -> None:
    with pytest.raises(DevstackError, match=r"in a circle: .*a.*b"):
        topological(by_name([row("a", "b"), row("b", "a")]))


def test_a_need_that_the_table_lacks_is_named() -> None:
    with pytest.raises(DevstackError, match="depends on nowhere"):
        topological(by_name([row("a", "nowhere")]))


def test_each_row_is_a_command_or_a_call() -> None:
    mesh = Mesh.of(port_base=1000)
    modules = [spec for spec in TABLE if spec.argv.__module__ == "tools.devstack.table"]
    assert len(modules) > 8
    for spec in modules:
        assert spec.argv(mesh)[1] == "-m", spec.name
    assert {spec.name for spec in TABLE if spec.call} == {"identity", "topics"}


async def test_a_function_is_imported_when_it_is_called() -> None:
    with pytest.raises(ModuleNotFoundError):
        await lazily("nowhere", "function")(Mesh.of())
