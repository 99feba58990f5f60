"""The table that sums up what an hour or a demo came to."""

from __future__ import annotations

from datetime import timedelta

import pytest

from config.summary import summary_table
from tests.factories import SLOT, House
from tests.metrics.stores import edit, order, receive, refund


@pytest.mark.usefixtures("everywhere")
def test_refunds_and_edits_of_orders_that_do_not_count_are_left_out(house: House) -> None:
    parts = {"refunds": (refund(1, SLOT, 30),), "edits": (edit(1, SLOT, 5),)}
    receive(
        house.store,
        order("counts", SLOT, 50, **parts),
        order("cancelled", SLOT, 50, cancelled_at=SLOT, **parts),
        order("test", SLOT, 50, is_test=True, **parts),
    )
    names, values = summary_table(house.tenant, SLOT - timedelta(days=1), []).columns
    told = dict(zip(names.cells, values.cells, strict=True))
    assert [told[name] for name in ("Revenue", "Order edits", "Refunds")] == ["50.00 USD", "5.00 USD", "30.00 USD"]
