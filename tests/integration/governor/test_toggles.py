"""The governor's toggles from an operator's call to a process' snapshot and Envoy's file."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.protobuf.duration_pb2 import Duration
from redis.asyncio import Redis

from governor.app import running
from governor.envoy_runtime import EnvoyRuntime
from governor.settings import Settings
from governor.toggle_feed import ToggleFeed
from governor.toggle_servicer import METHODS
from governor.toggles import Change, Toggles
from kernel.features import Version, defaults, runtime_document, runtime_version
from kernel.features.follow import following_features
from meshkit.clock import wall_ms
from meshkit.errors import InvalidFields, PeakmeshError, RequestIdReused, RoleRequired
from meshkit.identity import Role, TokenIssuer
from meshkit.rpc.client import call, channel
from peakmesh.ops.v1 import toggle_service_pb2 as pb
from peakmesh.ops.v1 import toggle_service_pb2_grpc as rpc
from tests.integration.governor.operators import free_base, settings_for
from tests.integration.kernel.redis_server import RedisServer
from tests.polling import eventually
from tools import devstack

FLAG = "purchase-history"


@dataclass(frozen=True)
class Switchboard:
    settings: Settings
    stub: Any

    async def ask(self, method: str, request: Any, role: Role = Role.OPERATOR) -> Any:
        token = TokenIssuer(self.settings.identity_dir).issue("olga", role)
        metadata = (("authorization", f"Bearer {token}"),)
        return await call(getattr(self.stub, method), request, timeout=5, dependency="governor", metadata=metadata)

    async def set(self, on: bool, seconds: int = 60, reason: str = "a test") -> pb.Toggle:
        hold = Duration(seconds=seconds)
        request = pb.SetToggleRequest(request_id=str(uuid4()), flag=FLAG, on=on, reason=reason, hold=hold)
        toggle: pb.Toggle = (await self.ask("SetToggle", request)).toggle
        return toggle

    async def clear(self) -> pb.Toggle:
        request = pb.ClearToggleRequest(request_id=str(uuid4()), flag=FLAG, reason="over")
        toggle: pb.Toggle = (await self.ask("ClearToggle", request)).toggle
        return toggle

    def file(self) -> int:
        """The share of calls that Envoy refuses."""
        [runtime] = json.loads(self.settings.toggles_file.read_text())["resources"]
        share: int = runtime["layer"][f"feature_off.{FLAG}"]
        return share


def followed(settings: Settings) -> Settings:
    """Without an Envoy between."""
    return settings.model_copy(update={"flags_target": f"127.0.0.1:{settings.ports['governor']}"})


@asynccontextmanager
async def governing(settings: Settings) -> AsyncIterator[Switchboard]:
    async with running(settings) as port, channel(f"127.0.0.1:{port}") as to:
        yield Switchboard(settings, rpc.ToggleServiceStub(to))


@pytest.fixture
async def board(data_servers: devstack.Mesh) -> AsyncIterator[Switchboard]:
    async with governing(settings_for(data_servers, free_base())) as made:
        yield made
        await made.clear()


async def test_a_change_reaches_a_process_and_envoys_file_within_a_second(board: Switchboard) -> None:
    async with following_features(followed(board.settings)) as flags:
        await board.set(on=True)
        for on, share in ((False, 100), (True, 0)):
            began = time.monotonic()
            await board.set(on)

            def has_reached(on: bool = on, share: int = share) -> bool:
                return flags.is_on(FLAG) is on and board.file() == share

            await eventually(has_reached, within=1, every=0.005)
            print(f"{on}: a process and Envoy's file after {time.monotonic() - began:.3f} s")


async def test_a_governor_that_starts_again_switches_nothing_on(board: Switchboard) -> None:
    await board.set(on=False)
    another = board.settings.model_copy(update={"port_base": free_base()})
    seen: list[bool] = []
    async with following_features(followed(another)) as flags:
        for _ in range(2):
            async with governing(another):
                await eventually(lambda: not flags.is_on(FLAG))

                def watch() -> bool:
                    seen.append(flags.is_on(FLAG))
                    return len(seen) % 25 == 0

                await eventually(watch)
    assert not any(seen)


async def test_an_override_ends_by_itself_and_the_journal_says_so(board: Switchboard) -> None:
    toggle = await board.set(on=False, seconds=1, reason="for a second")
    assert (toggle.on, toggle.source, toggle.who) == (False, pb.TOGGLE_SOURCE_OVERRIDE, "operator:olga")
    assert toggle.HasField("expire_time")

    async def is_over() -> bool:
        [found] = [
            each for each in (await board.ask("ListToggles", pb.ListTogglesRequest())).toggles if each.flag == FLAG
        ]
        return bool(found.source == pb.TOGGLE_SOURCE_DEFAULT)

    await eventually(is_over)

    async def is_told() -> bool:
        page = await board.ask("ListToggleChanges", pb.ListToggleChangesRequest(page_size=2))
        return [(each.what, each.why) for each in page.changes] == [
            ("expired", "for a second"),
            ("off", "for a second"),
        ]

    await eventually(is_told)


async def test_one_request_id_is_one_change(board: Switchboard) -> None:
    request = pb.SetToggleRequest(request_id=str(uuid4()), flag=FLAG, on=False, reason="once")
    await board.ask("SetToggle", request)
    await board.set(on=True)
    assert (await board.ask("SetToggle", request)).toggle.on
    request.on = True
    with pytest.raises(RequestIdReused):
        await board.ask("SetToggle", request)


async def test_every_wrong_field_is_named(board: Switchboard) -> None:
    request = pb.SetToggleRequest(request_id="x", flag="checkout", reason=" ", hold=Duration(seconds=-1))
    with pytest.raises(InvalidFields) as raised:
        await board.ask("SetToggle", request)
    assert {field for field, _ in raised.value.violations} == {"request_id", "flag", "reason", "hold.seconds"}
    for page in (pb.ListToggleChangesRequest(page_size=-1), pb.ListToggleChangesRequest(page_token="x")):
        with pytest.raises(InvalidFields):
            await board.ask("ListToggleChanges", page)


@pytest.mark.parametrize("hold", [Duration(seconds=2**62), Duration(nanos=5), Duration(seconds=1, nanos=-5)])
async def test_a_hold_that_is_no_span_is_refused(board: Switchboard, hold: Duration) -> None:
    request = pb.SetToggleRequest(request_id=str(uuid4()), flag=FLAG, on=True, reason="r", hold=hold)
    with pytest.raises(PeakmeshError) as raised:
        await board.ask("SetToggle", request)
    assert raised.value.reason == "INVALID_FIELD"


async def test_only_operators_may(board: Switchboard) -> None:
    for method in METHODS:
        with pytest.raises(RoleRequired):
            await board.ask(method, getattr(pb, f"{method}Request")(), Role.SERVICE)
    assert {method.name for method in pb.DESCRIPTOR.services_by_name["ToggleService"].methods} == set(METHODS)


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[tuple[RedisServer, Redis]]:
    server = RedisServer(tmp_path)
    await server.start()
    client = server.client()
    yield server, client
    await client.aclose()
    server.kill()


async def test_a_killed_redis_leaves_the_last_states(tmp_path: Path, redis: tuple[RedisServer, Redis]) -> None:
    server, client = redis
    toggles, file = Toggles(client, wall_ms), tmp_path / "runtime" / "toggles.json"
    feed = ToggleFeed(toggles, EnvoyRuntime(file).write)
    await toggles.apply(Change(FLAG, False, "operator:olga", "a test"))
    await feed.look()
    written = file.read_text()
    server.kill()
    await feed.look(again=True)
    assert file.read_text() == written
    async for states in feed.follow():
        assert states == defaults() | {FLAG: False}
        break
    await server.restart()
    await feed.look()
    assert file.read_text() == written


async def test_a_governor_that_wakes_up_does_not_undo_what_the_other_wrote(
    tmp_path: Path, redis: tuple[RedisServer, Redis]
) -> None:
    _, client = redis
    toggles, runtime = Toggles(client, wall_ms), EnvoyRuntime(tmp_path / "toggles.json")
    frozen, thawed = threading.Event(), threading.Event()

    def asleep(states: Mapping[str, bool], version: Version, *, force: bool) -> bool:
        """Frozen between its look at Redis and its write."""
        frozen.set()
        thawed.wait(10)
        return runtime.write(states, version, force=force)

    old, new = ToggleFeed(toggles, asleep), ToggleFeed(toggles, runtime.write)
    late = asyncio.create_task(old.look())
    await eventually(frozen.is_set)
    await toggles.apply(Change(FLAG, False, "operator:olga", "meanwhile"))
    await new.look()
    written = (tmp_path / "toggles.json").read_text()
    thawed.set()
    await late
    assert (
        (tmp_path / "toggles.json").read_text()
        == written
        == runtime_document(defaults() | {FLAG: False}, runtime_version(written))
    )
    await old.look()
    assert (tmp_path / "toggles.json").read_text() == written


async def test_a_redis_that_has_forgotten_is_believed_at_the_second_look(
    tmp_path: Path, redis: tuple[RedisServer, Redis]
) -> None:
    _, client = redis
    toggles, file = Toggles(client, wall_ms), tmp_path / "toggles.json"
    feed = ToggleFeed(toggles, EnvoyRuntime(file).write)
    await toggles.apply(Change(FLAG, False, "operator:olga", "a test"))
    await feed.look()
    written = file.read_text()
    await client.flushall()
    await feed.look()
    assert file.read_text() == written
    await feed.look()
    assert file.read_text() == runtime_document(defaults())


async def test_a_feed_that_has_read_nothing_tells_nothing(tmp_path: Path, redis: tuple[RedisServer, Redis]) -> None:
    server, client = redis
    server.kill()
    feed = ToggleFeed(Toggles(client, wall_ms), EnvoyRuntime(tmp_path / "toggles.json").write)
    await feed.look(again=True)
    await feed.close()
    assert [states async for states in feed.follow()] == []
    assert not (tmp_path / "toggles.json").exists()


async def test_a_file_that_cannot_be_written_stops_nobody(tmp_path: Path, redis: tuple[RedisServer, Redis]) -> None:
    _, client = redis
    (tmp_path / "occupied").write_text("no folder")
    feed = ToggleFeed(Toggles(client, wall_ms), EnvoyRuntime(tmp_path / "occupied" / "toggles.json").write)
    await feed.look()
    async for states in feed.follow():
        assert states == defaults()
        break
