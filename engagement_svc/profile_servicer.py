"""ProfileService: protos to the use cases and back."""

from typing import Any

from engagement_svc.avatar import KIND, MOST_BYTES
from engagement_svc.avatar_store import Avatar, Avatars
from engagement_svc.update_avatar import UpdateAvatar
from meshkit.rpc.edge import caller
from meshkit.rpc.fields import Fields
from meshkit.rpc.times import timestamp
from peakmesh.engagement.v1 import profile_service_pb2 as pb
from peakmesh.engagement.v1 import profile_service_pb2_grpc as rpc


class ProfileServicer(rpc.ProfileServiceServicer):
    def __init__(self, update_avatar: UpdateAvatar, avatars: Avatars) -> None:
        self._update_avatar, self._avatars = update_avatar, avatars

    async def UpdateAvatar(self, request: pb.UpdateAvatarRequest, _context: Any) -> pb.UpdateAvatarResponse:
        fields = Fields()
        fields.uuid("request_id", request.request_id)
        fields.require(0 < len(request.image) <= MOST_BYTES, "image", "must be 1 byte to 2 MiB")
        fields.check()
        user_id = caller().user_id
        replaced = await self._update_avatar(user_id, request.request_id.lower(), request.image)
        return pb.UpdateAvatarResponse(profile=_profile(user_id, replaced))

    async def GetProfile(self, _request: pb.GetProfileRequest, _context: Any) -> pb.GetProfileResponse:
        user_id = caller().user_id
        return pb.GetProfileResponse(profile=_profile(user_id, await self._avatars.find(user_id)))


def _profile(user_id: str, found: Avatar | None) -> pb.Profile:
    if found is None:
        return pb.Profile(user_id=user_id)
    time = timestamp(found.updated_ms)
    return pb.Profile(user_id=user_id, avatar=found.image, avatar_type=KIND, update_time=time)
