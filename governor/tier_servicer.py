"""TierService: what the leader wrote, as messages."""

import re
from typing import Any

from google.protobuf.duration_pb2 import Duration

from governor.tier import Tier
from governor.tier_standing import SignalNow, Standing, TierChange
from governor.tier_store import TierStore
from meshkit.rpc import pages
from meshkit.rpc.times import timestamp
from peakmesh.ops.v1 import tier_service_pb2 as pb
from peakmesh.ops.v1 import tier_service_pb2_grpc as rpc

SERVICE = "peakmesh.ops.v1.TierService"
METHODS = ("GetTier", "ListTierChanges")
DEFAULT_PAGE, LARGEST_PAGE = 50, 500
_ENTRY = re.compile(r"[0-9]{1,15}-[0-9]{1,15}\Z")
_TIERS = {
    Tier.NORMAL: pb.TIER_NORMAL,
    Tier.BUSY: pb.TIER_BUSY,
    Tier.PEAK: pb.TIER_PEAK,
    Tier.SURVIVAL: pb.TIER_SURVIVAL,
}


class TierServicer(rpc.TierServiceServicer):
    def __init__(self, store: TierStore) -> None:
        self._store = store

    async def GetTier(self, _request: pb.GetTierRequest, _context: Any) -> pb.GetTierResponse:
        standing = await self._store.standing()
        if standing is None:
            why = "no governor ever led"
            return pb.GetTierResponse(tier=pb.TIER_NORMAL, why=why, dry_run=self._store.dry_run)
        return _answer(standing, self._store.dry_run)

    async def ListTierChanges(self, request: pb.ListTierChangesRequest, _context: Any) -> pb.ListTierChangesResponse:
        size = pages.page_size(request.page_size, DEFAULT_PAGE, LARGEST_PAGE)
        if request.page_token and not _ENTRY.match(request.page_token):
            raise pages.foreign_token()
        found = await self._store.journal(size + 1, request.page_token)
        token = found[size - 1][0] if len(found) > size else ""
        return pb.ListTierChangesResponse(changes=[_change(each) for _, each in found[:size]], next_page_token=token)


def _answer(standing: Standing, dry_run: bool) -> pb.GetTierResponse:
    return pb.GetTierResponse(
        tier=_TIERS[standing.tier],
        since_time=timestamp(standing.changed_ms) if standing.changed_ms else None,
        why=standing.why,
        signals=[_signal(each) for each in standing.signals],
        features_off=standing.off,
        hold_left=Duration(nanos=int(standing.hold_left % 1 * 1e9), seconds=int(standing.hold_left)),
        leader=standing.leader,
        term=standing.term,
        look_time=timestamp(standing.at_ms),
        policy=standing.policy,
        dry_run=dry_run,
    )


def _signal(now: SignalNow) -> pb.TierSignal:
    reading = now.reading
    return pb.TierSignal(
        name=now.signal.value, value=reading.value, at_least=reading.at_least, enter=now.enter, exit=now.leave
    )


def _change(change: TierChange) -> pb.TierChange:
    return pb.TierChange(
        change_time=timestamp(change.at_ms),
        old_tier=_TIERS[change.before],
        new_tier=_TIERS[change.tier],
        signal=change.signal,
        value=change.value,
        threshold=change.threshold,
        why=change.why,
        leader=change.leader,
    )
