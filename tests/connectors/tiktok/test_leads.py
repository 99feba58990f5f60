from __future__ import annotations

import pytest

from connectors.tiktok.leads import leads


@pytest.mark.parametrize(
    ("objective", "clicks", "conversions", "counted"),
    [
        ("TRAFFIC", 12, 3, 12),
        ("TRAFFIC", 12, None, 12),
        ("LEAD_GENERATION", 12, 3, 3),
        ("WEB_CONVERSIONS", 12, 0, 0),
        ("CONVERSIONS", 12, None, None),
        ("REACH", 12, 3, 3),
        ("REACH", 12, 0, 0),
        ("REACH", 12, None, 12),
        ("", 12, None, 12),
        ("something new", 12, 5, 5),
    ],
)
def test_the_objective_says_what_a_lead_is(
    objective: str, clicks: int, conversions: int | None, counted: int | None
) -> None:
    assert leads(objective, clicks, conversions) == counted
