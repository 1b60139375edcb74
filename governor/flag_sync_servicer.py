"""flagd's own sync protocol, `flagd.sync.v1.FlagSyncService`: a real flagd could stand in for this."""

from collections.abc import AsyncIterator
from typing import Any

from grpc import StatusCode
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2 as pb
from openfeature.schemas.protobuf.flagd.sync.v1 import sync_pb2_grpc as rpc

from governor.toggle_feed import ToggleFeed
from kernel.features import flag_document

SERVICE = "flagd.sync.v1.FlagSyncService"


class FlagSyncServicer(rpc.FlagSyncServiceServicer):
    """Of what the features' states are now."""

    def __init__(self, feed: ToggleFeed) -> None:
        self._feed = feed

    async def SyncFlags(self, _request: pb.SyncFlagsRequest, _context: Any) -> AsyncIterator[pb.SyncFlagsResponse]:
        async for states in self._feed.follow():
            yield pb.SyncFlagsResponse(flag_configuration=flag_document(states))

    async def FetchAllFlags(self, _request: pb.FetchAllFlagsRequest, _context: Any) -> pb.FetchAllFlagsResponse:
        async for states in self._feed.follow():
            return pb.FetchAllFlagsResponse(flag_configuration=flag_document(states))
        return pb.FetchAllFlagsResponse()

    async def GetMetadata(self, _request: pb.GetMetadataRequest, context: Any) -> pb.GetMetadataResponse:
        # The provider's thread dies of an empty answer; it takes this one for "none".
        await context.abort(StatusCode.UNIMPLEMENTED, "no metadata here")
        raise AssertionError("abort returned")
