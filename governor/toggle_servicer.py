"""ToggleService: protos to the store and back."""

import re
from collections.abc import Callable
from typing import Any

from governor.toggle_state import Change, FlagState, JournalEntry, Source
from governor.toggles import Request, Toggles
from kernel.features import features
from kernel.ops_journal import hash_of
from meshkit.rpc import pages
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from meshkit.rpc.times import timestamp
from peakmesh.ops.v1 import toggle_service_pb2 as pb
from peakmesh.ops.v1 import toggle_service_pb2_grpc as rpc

SERVICE = "peakmesh.ops.v1.ToggleService"
METHODS = ("ListToggles", "SetToggle", "ClearToggle", "ListToggleChanges")
LONGEST_HOLD = 7 * 86_400
DEFAULT_PAGE, LARGEST_PAGE = 50, 500
_ENTRY = re.compile(r"[0-9]{1,15}-[0-9]{1,15}\Z")
_SOURCES = {
    Source.DEFAULT: pb.TOGGLE_SOURCE_DEFAULT,
    Source.AUTOMATIC: pb.TOGGLE_SOURCE_AUTOMATIC,
    Source.OVERRIDE: pb.TOGGLE_SOURCE_OVERRIDE,
}


class ToggleServicer(rpc.ToggleServiceServicer):
    """`now_ms` gives Unix milliseconds."""

    def __init__(self, toggles: Toggles, now_ms: Callable[[], int]) -> None:
        self._toggles, self._now_ms = toggles, now_ms

    async def ListToggles(self, _request: pb.ListTogglesRequest, _context: Any) -> pb.ListTogglesResponse:
        return pb.ListTogglesResponse(toggles=[_toggle(state) for state in (await self._toggles.states()).values()])

    async def SetToggle(self, request: pb.SetToggleRequest, _context: Any) -> pb.SetToggleResponse:
        fields = _checked(request)
        hold_ms = request.hold.ToMilliseconds() if request.HasField("hold") else 0
        if request.HasField("hold"):
            fields.between("hold.seconds", request.hold.seconds, 1, LONGEST_HOLD)
            fields.between("hold.nanos", request.hold.nanos, 0, 999_999_999)
        fields.check()
        expires_ms = self._now_ms() + hold_ms if hold_ms else None
        return pb.SetToggleResponse(toggle=await self._override(request, request.on, expires_ms))

    async def ClearToggle(self, request: pb.ClearToggleRequest, _context: Any) -> pb.ClearToggleResponse:
        _checked(request).check()
        return pb.ClearToggleResponse(toggle=await self._override(request, None, None))

    async def ListToggleChanges(
        self, request: pb.ListToggleChangesRequest, _context: Any
    ) -> pb.ListToggleChangesResponse:
        size = pages.page_size(request.page_size, DEFAULT_PAGE, LARGEST_PAGE)
        if request.page_token and not _ENTRY.match(request.page_token):
            raise pages.foreign_token()
        found = await self._toggles.journal(size + 1, request.page_token)
        shown = found[:size]
        token = shown[-1].entry_id if len(found) > size else ""
        return pb.ListToggleChangesResponse(changes=[_change(entry) for entry in shown], next_page_token=token)

    async def _override(self, request: Any, on: bool | None, expires_ms: int | None) -> pb.Toggle:
        # Never plain "governor": a token may have any name, and that one's changes are no overrides.
        who = f"operator:{caller().user_id}"
        change = Change(request.flag, on, who, request.reason.strip(), expires_ms=expires_ms)
        await self._toggles.apply(change, Request(request.request_id.lower(), hash_of(request)))
        return _toggle((await self._toggles.states())[request.flag])


def _checked(request: pb.SetToggleRequest | pb.ClearToggleRequest) -> Fields:
    fields = Fields()
    fields.uuid("request_id", request.request_id)
    fields.require(request.flag in features(), "flag", f"must be one of {', '.join(features())}")
    fields.text("reason", request.reason, 1, 200)
    return fields


def _toggle(state: FlagState) -> pb.Toggle:
    setting = state.setting
    shown = pb.Toggle(
        flag=state.feature.name,
        on=state.on,
        source=_SOURCES[state.source],
        owner=state.feature.owner,
        when_off=state.feature.when_off,
        remove_by=state.feature.remove_by,
    )
    if setting is not None:
        shown.who, shown.why, shown.signal = setting.who, setting.why, setting.signal
        shown.since_time.CopyFrom(timestamp(setting.since_ms))
        if setting.expires_ms:
            shown.expire_time.CopyFrom(timestamp(setting.expires_ms))
    return shown


def _change(entry: JournalEntry) -> pb.ToggleChange:
    return pb.ToggleChange(
        change_time=timestamp(entry.at_ms),
        flag=entry.flag,
        what=entry.what,
        source=_SOURCES[entry.source],
        who=entry.who,
        why=entry.why,
        signal=entry.signal,
        expire_time=timestamp(entry.expires_ms) if entry.expires_ms else None,
        entry_id=entry.entry_id,
    )
