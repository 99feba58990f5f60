"""What counts as a lead, by the objective of the campaign."""

from __future__ import annotations

PAID_BY_CLICK = frozenset({"TRAFFIC", "CLICK"})
PAID_BY_CONVERSION = frozenset({"LEAD_GENERATION", "WEB_CONVERSIONS", "CONVERSIONS", "APP_PROMOTION", "APP_INSTALL"})


def leads(objective: str, clicks: int, conversions: int | None) -> int | None:
    """Clicks where the objective is clicks, conversions where it is conversions or leads (`None`: unknown).

    Elsewhere conversions where the platform tells them, else clicks.
    """
    if objective in PAID_BY_CLICK:
        return clicks
    if objective in PAID_BY_CONVERSION or conversions is not None:
        return conversions
    return clicks
