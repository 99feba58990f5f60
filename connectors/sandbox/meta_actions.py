"""What people did after an ad, as Meta's insights write it: one sale under several names, by attribution window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.sandbox.currencies import decimal_text
from connectors.sandbox.meta_errors import MetaError
from connectors.sandbox.meta_session import many
from connectors.sandbox.reports import Figures
from connectors.sandbox.tenants import Account

# One sale shows under several names; whoever adds them up counts it more than once.
PURCHASE_ALIASES = ("omni_purchase", "purchase", "offsite_conversion.fb_pixel_purchase", "onsite_web_purchase")
WINDOWS = ("1d_click", "7d_click", "28d_click", "1d_view", "1d_ev", "default", "incrementality")
CLICK_WINDOWS = ("1d_click", "7d_click", "28d_click")
REMOVED_WINDOWS = ("7d_view", "28d_view")  # since 2026-01-12


def windows_of(params: Mapping[str, str]) -> tuple[str, ...]:
    """The attribution windows asked for beside the account's own. Raises MetaError for one that is gone."""
    found = tuple(map(str, many(params.get("action_attribution_windows", "[]"))))
    for window in found:
        if window not in WINDOWS:
            why = "is no longer supported" if window in REMOVED_WINDOWS else f"must be one of {', '.join(WINDOWS)}"
            raise MetaError(100, f"(#100) action_attribution_windows: {window} {why}")
    return found


def action_fields(account: Account, figures: Figures, windows: tuple[str, ...], *, with_pixel: bool) -> dict[str, Any]:
    """`actions`, `action_values` and the returns; without the pixel, only clicks."""
    clicks = {window: str(figures.clicks) for window in windows if window in CLICK_WINDOWS}
    actions = [{"action_type": "link_click", "value": str(figures.clicks), **clicks}]
    known = figures.purchases_by_window
    if not with_pixel or not (figures.purchases or any(count for count, _ in known.values())):
        return {"actions": actions}
    by_window = {window: known[window] for window in windows if known.get(window, (0, 0))[0]}
    counts = {"value": str(figures.purchases), **{w: str(count) for w, (count, _) in by_window.items()}}
    money = {w: decimal_text(micros, account.currency) for w, (_, micros) in by_window.items()}
    values = {"value": decimal_text(figures.value, account.currency), **money}
    returns = {
        "value": ratio(figures.value, figures.spend),
        **{w: ratio(micros, figures.spend) for w, (_, micros) in by_window.items()},
    }
    returns = {name: text for name, text in returns.items() if text is not None}
    told: dict[str, Any] = {
        "actions": actions + [{"action_type": name, **counts} for name in PURCHASE_ALIASES],
        "action_values": [{"action_type": name, **values} for name in PURCHASE_ALIASES],
    }
    if returns:
        told["purchase_roas"] = [{"action_type": "omni_purchase", **returns}]
        told["website_purchase_roas"] = [{"action_type": "offsite_conversion.fb_pixel_purchase", **returns}]
    return told


def ratio(top: int, bottom: int) -> str | None:
    return f"{top / bottom:.6f}" if bottom else None
