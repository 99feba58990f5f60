"""Meta's answers as the tests of this folder script them, and a client that asks for them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.contracts import Level, Target
from connectors.meta.client import MetaAds
from connectors.meta.insights import HOURLY
from tests.connectors.wire import Script, Wire, says

TOKEN = "EAAB-test-token-123"
SECRET = "0123456789abcdef0123456789abcdef"
PROOF = "d66c311bf3ff4de3f74399bb84a84a3d5c4417de669edeab5da0133ec92063af"
ACCOUNT = {"id": "act_7", "name": "A", "currency": "USD", "timezone_name": "America/New_York"}
ACCOUNT |= {"account_status": "1", "min_daily_budget": "100", "spend_cap": "0", "amount_spent": "12345"}
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DONE = says({"success": True})
TOO_MUCH = says({"error": {"code": 100, "error_subcode": 1487534, "message": "less"}}, 400)
BUSY = says({"error": {"code": 2, "message": "later", "is_transient": True}}, 503)
ABSENT = says({"error": {"code": 100, "error_subcode": 33, "message": "none"}}, 400)

CAMPAIGN = Target(Level.CAMPAIGN, "3")
AD_SET = Target(Level.AD_SET, "5")
AD = Target(Level.AD, "9")


class Notes:
    """A pace that notes what it is told."""

    read_cost, write_cost = 1, 3

    def __init__(self) -> None:
        self.booked: list[int] = []
        self.holds: list[float] = []

    def reserve(self, cost: int, patience: float) -> float:
        self.booked.append(cost)
        return 0.0

    def reserve_urgent(self, cost: int, patience: float) -> float:
        return self.reserve(cost, patience)

    def held(self) -> float:
        return 0.0

    def hold(self, seconds: float) -> None:
        self.holds.append(seconds)


def client(served: Wire, **options: Any) -> MetaAds:
    given: dict[str, Any] = {"app_secret": SECRET, "account_id": "7", "patience": 2.0, "now": lambda: NOW}
    return MetaAds(base_url=served.url, version="v26.0", access_token=TOKEN, **(given | options))


def account(**changes: Any) -> Script:
    return says(ACCOUNT | changes)


def page(*found: dict[str, Any], after: str | None = None) -> dict[str, Any]:
    paging: dict[str, Any] = {"cursors": {"before": "x", "after": after or "end"}}
    return {"data": list(found), "paging": paging | ({"next": "https://next"} if after else {})}


def listing(*found: dict[str, Any], after: str | None = None) -> Script:
    return says(page(*found, after=after))


def insight(hour: int | None, day: str = "2026-11-20", **figures: Any) -> dict[str, Any]:
    label = {} if hour is None else {HOURLY: f"{hour:02d}:00:00 - {hour:02d}:59:59"}
    row = {"adset_id": "5", "date_start": day, "date_stop": day, "spend": "1.50", "impressions": "100"}
    return row | {"clicks": "3"} | label | figures


def node(**fields: Any) -> dict[str, Any]:
    return {"id": "5", "account_id": "7", "name": "N", "status": "ACTIVE", "effective_status": "ACTIVE"} | fields


def campaign(**changes: Any) -> dict[str, Any]:
    return node(id="3", objective="OUTCOME_SALES", **changes)


def ad_set(**changes: Any) -> dict[str, Any]:
    told = {"campaign_id": "3", "daily_budget": "5000", "lifetime_budget": "0"}
    return node(**(told | {"effective_status": "CAMPAIGN_PAUSED"} | changes))


def ad(**changes: Any) -> dict[str, Any]:
    return node(**({"id": "9", "adset_id": "5", "creative": {"id": "44"}} | changes))


def query(request: str) -> dict[str, list[str]]:
    """The parameters of an address."""
    return parse_qs(urlsplit(request.split(" ")[1]).query)


def form(request: str) -> dict[str, list[str]]:
    """The parameters of a body."""
    return parse_qs(request.partition("\r\n\r\n")[2])


def verb(request: str) -> str:
    """Method and path, without the version."""
    method, target, _ = request.split(" ", 2)
    return f"{method} {urlsplit(target).path.removeprefix('/v26.0/')}"
