"""Who may ask the governor."""

import grpc
import pytest

from governor.app import METHODS
from meshkit.errors import RoleRequired, Unauthenticated
from meshkit.identity import Role
from meshkit.rpc.client import call
from peakmesh.ops.v1 import ops_service_pb2 as pb
from peakmesh.ops.v1.ops_service_pb2 import DESCRIPTOR
from tests.integration.governor.operators import Desk


@pytest.mark.parametrize("role", [Role.BUYER, Role.SELLER, Role.SERVICE])
async def test_only_operators_may(desk: Desk, role: Role) -> None:
    for method in METHODS:
        with pytest.raises(RoleRequired) as raised:
            await desk.ask(method, getattr(pb, f"{method}Request")(), role)
        assert raised.value.code is grpc.StatusCode.PERMISSION_DENIED


async def test_without_a_token_nobody_may(desk: Desk) -> None:
    with pytest.raises(Unauthenticated):
        await call(desk.stub.GetSale, pb.GetSaleRequest(sale_id="s"), timeout=5, dependency="governor")


def test_every_method_of_the_service_is_guarded() -> None:
    assert {method.name for method in DESCRIPTOR.services_by_name["OpsService"].methods} == set(METHODS)
