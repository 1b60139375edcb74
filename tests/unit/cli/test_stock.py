"""`peakmesh stock rebuild`: what it asks for and what it tells."""

import pytest

from peakmesh.ops.v1 import ops_service_pb2 as pb
from tools.cli.stock import asked, progress


def test_it_is_one_sale_or_all_of_them() -> None:
    one, every = asked("sale-1", False, "why"), asked("", True, "why")
    assert (one.sale_id, one.all_sales, one.reason) == ("sale-1", False, "why")
    assert (every.sale_id, every.all_sales) == ("", True)
    for sale, all_sales in (("", False), ("sale-1", True)):
        with pytest.raises(ValueError, match=r"--sale ID or --all"):
            asked(sale, all_sales, "why")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (pb.RebuildStockResponse(phase=pb.REBUILD_PHASE_DRAINING, outbox=3), "3 orders wait for the relay"),
        (pb.RebuildStockResponse(phase=pb.REBUILD_PHASE_CONSUMING, markers_passed=1, markers=4), "1 of 4 markers"),
        (pb.RebuildStockResponse(phase=pb.REBUILD_PHASE_LOADING, offers_done=2, offers=9), "2 of 9 offers"),
        (pb.RebuildStockResponse(phase=pb.REBUILD_PHASE_DONE, epoch=7), "epoch 7: done"),
    ],
)
def test_each_phase_is_told(answer: pb.RebuildStockResponse, words: str) -> None:
    assert words in progress(answer)
