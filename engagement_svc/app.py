"""Composition root of engagement_svc; the tests use the same one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import grpc

from engagement_svc.avatar import MOST_BYTES
from engagement_svc.avatar_store import Avatars
from engagement_svc.profile_servicer import ProfileServicer
from engagement_svc.purchases import Purchases
from engagement_svc.recommend import Recommend
from engagement_svc.recommendation_servicer import RecommendationServicer
from engagement_svc.settings import Settings
from engagement_svc.train_model import TrainModel
from engagement_svc.update_avatar import UpdateAvatar
from kernel.features.follow import following_features, gates
from meshkit.clock import wall_ms
from meshkit.db.engine import database
from meshkit.identity import Role, TokenVerifier
from meshkit.lifecycle import background
from meshkit.metrics import metrics_endpoint
from meshkit.ports import nth
from meshkit.rpc.edge import Access, AtOnce
from meshkit.rpc.server import serving
from peakmesh.engagement.v1 import profile_service_pb2_grpc as profile_rpc
from peakmesh.engagement.v1 import recommendation_service_pb2_grpc as recommendation_rpc

RECOMMENDATIONS = "peakmesh.engagement.v1.RecommendationService"
PROFILES = "peakmesh.engagement.v1.ProfileService"
_USERS = frozenset({Role.BUYER, Role.SELLER})
ROLES = {f"/{RECOMMENDATIONS}/Recommend": _USERS}
ROLES |= {f"/{PROFILES}/{method}": _USERS for method in ("UpdateAvatar", "GetProfile")}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[int]:
    """Serves until the block is left; yields the port. Starts without the database: until it is there, calls are
    refused."""
    name = nth("engagement", settings.instance)
    async with AsyncExitStack() as stack:
        stack.enter_context(metrics_endpoint(settings.ports[f"{name}_metrics"]))
        flags = await stack.enter_async_context(following_features(settings))
        engine = await stack.enter_async_context(database(settings.database, pool_size=2))
        purchases, avatars = Purchases(engine), Avatars(engine)
        training = TrainModel(purchases, settings.engagement_purchases, partial(flags.is_on, "recommendations"))
        await stack.enter_async_context(background(training.run(settings.engagement_train_seconds)))
        recommendation = RecommendationServicer(
            Recommend(purchases, lambda: training.model), lambda: training.trained_ms
        )
        profile = ProfileServicer(UpdateAvatar(avatars, settings.engagement_pictures, wall_ms), avatars)

        def register(server: grpc.aio.Server) -> None:
            recommendation_rpc.add_RecommendationServiceServicer_to_server(recommendation, server)
            profile_rpc.add_ProfileServiceServicer_to_server(profile, server)

        yield await stack.enter_async_context(
            serving(
                port=settings.ports[name],
                register=register,
                services=[RECOMMENDATIONS, PROFILES],
                access=Access(TokenVerifier(settings.jwks), ROLES),
                at_once=AtOnce(settings.engagement_rpcs, sheddable=settings.engagement_rpcs),
                gates=gates(flags),
                drain_seconds=settings.drain_seconds,
                max_request_bytes=MOST_BYTES + 4096,
            )
        )
