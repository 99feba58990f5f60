"""The TikTok face: Ads API v1.3 under `/open_api/v1.3/`, as far as the sandbox knows it.

Always HTTP 200 with `{code, message, request_id, data}`. `respond` answers a request; `received` says which
writes a request asks for. Codes of the floor, 105 % and lock refusals are not documented; 40002 is assumed.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from connectors.sandbox import tiktok_reports, tiktok_writes
from connectors.sandbox.answers import Bucket, Request, Response, answer, loads
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.tiktok_writes import Outcome, TikTokError, attempts
from connectors.sandbox.world import Change, World

PREFIX = "/open_api/v1.3/"
PRIMARY = {
    "STATUS_NOT_DELETE": ("ENABLE", "DISABLE"),
    "STATUS_ALL": ("ENABLE", "DISABLE", "DELETE"),
    "STATUS_DELIVERY_OK": ("ENABLE",),
    "STATUS_DISABLE": ("DISABLE",),
    "STATUS_DELETE": ("DELETE",),
    "STATUS_NOT_DELIVERY": ("DISABLE",),
    "STATUS_TIME_DONE": (),
    "STATUS_FROZEN": (),
}
QPS, QPM = 50, 3000  # the level "Ultimate"

Fields = dict[str, Callable[[World, AdObject], Any]]


def _utc(moment: Any) -> str:
    return str(moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))


def _mode(world: World, thing: AdObject) -> str:
    if thing.lifetime_budget:
        return "BUDGET_MODE_TOTAL"
    return "BUDGET_MODE_DAY" if thing.daily_budget else "BUDGET_MODE_INFINITE"


def _pooled(world: World, thing: AdObject) -> bool | None:
    """Whether the campaign carries the budget; told only when it does."""
    campaign = thing if thing.kind == "campaign" else world.objects[thing.parent]
    return True if campaign.daily_budget or campaign.lifetime_budget else None


def _secondary(world: World, thing: AdObject) -> str:
    name = {"campaign": "CAMPAIGN", "ad_set": "ADGROUP", "ad": "AD"}[thing.kind]
    if thing.status != "ENABLE":
        return f"{name}_STATUS_{thing.status}"
    above = world.objects.get(thing.parent)
    if thing.kind == "ad" and above is not None:
        if above.status != "ENABLE":
            return f"AD_STATUS_ADGROUP_{above.status}"
        above = world.objects[above.parent]
    if above is not None and above.status != "ENABLE":
        return f"{name}_STATUS_CAMPAIGN_{above.status}"
    return "CAMPAIGN_STATUS_ENABLE" if thing.kind == "campaign" else f"{name}_STATUS_DELIVERY_OK"


COMMON: Fields = {
    "advertiser_id": lambda w, o: o.account,
    "operation_status": lambda w, o: o.status,
    "secondary_status": _secondary,
    "create_time": lambda w, o: _utc(o.created),
    "modify_time": lambda w, o: _utc(o.updated),
}
BUDGETS: Fields = {
    "budget": lambda w, o: (o.daily_budget or o.lifetime_budget or 0) / 1e6,
    "budget_mode": _mode,
    "budget_optimize_on": _pooled,
}
FIELDS: dict[str, Fields] = {
    "campaign": COMMON
    | BUDGETS
    | {
        "campaign_id": lambda w, o: o.id,
        "campaign_name": lambda w, o: o.name,
        "objective_type": lambda w, o: "WEB_CONVERSIONS",
    },
    "ad_set": COMMON
    | BUDGETS
    | {
        "adgroup_id": lambda w, o: o.id,
        "adgroup_name": lambda w, o: o.name,
        "campaign_id": lambda w, o: o.parent,
        "campaign_name": lambda w, o: w.objects[o.parent].name,
        "scheduled_budget": lambda w, o: (o.scheduled_budget or 0) / 1e6,
        "bid_type": lambda w, o: "BID_TYPE_NO_BID",
        "billing_event": lambda w, o: "OCPM",
        "optimization_goal": lambda w, o: "CONVERT",
        "pacing": lambda w, o: "PACING_MODE_SMOOTH",
        "schedule_type": lambda w, o: "SCHEDULE_FROM_NOW",
        "schedule_start_time": lambda w, o: _utc(o.created),
        "learning_phase": lambda w, o: "PHASE_LEARNED",
    },
    "ad": COMMON
    | {
        "ad_id": lambda w, o: o.id,
        "ad_name": lambda w, o: o.name,
        "adgroup_id": lambda w, o: o.parent,
        "campaign_id": lambda w, o: w.objects[o.parent].parent,
    },
}
LISTS = {"campaign/get/": "campaign", "adgroup/get/": "ad_set", "ad/get/": "ad"}
ID_FILTERS = {"campaign_ids": "campaign_id", "adgroup_ids": "adgroup_id", "ad_ids": "ad_id"}


class Face:
    """Answers for one world; keeps the call allowances, which follow wall time."""

    platform = "tiktok"

    def __init__(self, world: World) -> None:
        self.world = world
        self._calls = Bucket(QPM, QPS)
        self._served = 0

    def respond(self, request: Request) -> Response:
        try:
            if not self._calls.take(1, time.monotonic()):
                raise TikTokError(40100, "Too many requests. Please retry in some time.")
            outcome = self._route(request)
        except TikTokError as error:
            outcome = Outcome({}, error.code, error.message)
        return self._envelope(outcome)

    def received(self, request: Request) -> list[Change]:
        if request.method != "POST":
            return []
        body = _body(request)
        asked = attempts(self.world, request.path.removeprefix(PREFIX), body)
        return [attempt.change for attempt in asked or []]

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code in the ledger."""
        error = FAULTS[kind]
        return self._envelope(Outcome({}, error.code, error.message)), str(error.code)

    def edit(self, target: AdObject, field: str, value: Any) -> None:
        """A person's own edit. Raises TikTokError when TikTok's page would refuse it too."""
        attempt = tiktok_writes.attempt(self.world, target, field, value)
        if attempt is None:
            raise TikTokError(40002, f"{field} cannot be edited")
        tiktok_writes.check(self.world, attempt)
        self.world.write(attempt.change, "human")

    def _envelope(self, outcome: Outcome) -> Response:
        self._served += 1
        request_id = hashlib.sha256(str(self._served).encode()).hexdigest()[:32].upper()
        return answer(
            {
                "code": outcome.code,
                "message": outcome.message,
                "request_id": request_id,
                "data": outcome.data,
            }
        )

    def _route(self, request: Request) -> Outcome:
        path = request.path.removeprefix(PREFIX)
        account = self._account(request)
        if request.method == "POST":
            body = _body(request)
            self._same(account, body.get("advertiser_id"))
            return tiktok_writes.perform(self.world, account, path, body)
        params = request.args.to_dict()
        if path == "oauth2/advertiser/get/":
            found = {"advertiser_id": account.id, "advertiser_name": account.name}
            return Outcome({"list": [found]})
        if path == "advertiser/info/":
            return self._info(account, params)
        self._same(account, params.get("advertiser_id"))
        if path in LISTS:
            return Outcome(self._list(account, LISTS[path], params))
        if path == "report/integrated/get/":
            return Outcome(tiktok_reports.report(self.world, account, params))
        raise TikTokError(40400, "The requested path does not exist")

    def _account(self, request: Request) -> Account:
        token = request.headers.get("Access-Token", "")
        if not token:
            raise TikTokError(40104, "Access token is empty.")
        for account in self.world.accounts.values():
            if account.platform == "tiktok" and account.token == token:
                return account
        raise TikTokError(40105, "Access token is incorrect or has been revoked.")

    def _same(self, account: Account, advertiser_id: Any) -> None:
        if not advertiser_id:
            raise TikTokError(40002, "advertiser_id: Missing data for required field.")
        if str(advertiser_id) != account.id:
            raise TikTokError(40001, "No permission to operate the advertiser.")

    def _info(self, account: Account, params: dict[str, str]) -> Outcome:
        ids = loads(params.get("advertiser_ids", ""))
        if not isinstance(ids, list) or not 1 <= len(ids) <= 100:
            raise TikTokError(40002, "advertiser_ids: between 1 and 100 ids are needed.")
        for identity in ids:
            self._same(account, identity)
        body = {
            "advertiser_id": account.id,
            "name": account.name,
            "currency": account.currency,
            "timezone": account.zone,
            "display_timezone": account.zone,
            "status": "STATUS_ENABLE",
            "balance": 0.0,
            "create_time": int(account.created.timestamp()),
        }
        wanted = loads(params.get("fields", ""))
        if isinstance(wanted, list):
            body = {k: v for k, v in body.items() if k in wanted or k == "advertiser_id"}
        return Outcome({"list": [body]})

    def _list(self, account: Account, kind: str, params: dict[str, str]) -> dict[str, Any]:
        things = self._filtered(account, kind, loads(params.get("filtering", "{}")))
        wanted = loads(params.get("fields", "null"))
        if wanted is not None and not isinstance(wanted, list):
            raise TikTokError(40002, "fields: Not a valid list.")
        unknown = [name for name in wanted or [] if str(name) not in FIELDS[kind]]
        if unknown:
            raise TikTokError(40002, f"fields: {unknown[0]} is not a field of this object.")
        shown, info = tiktok_reports.page(things, params)
        return {"list": [_read(self.world, thing, wanted) for thing in shown], "page_info": info}

    def _filtered(self, account: Account, kind: str, filtering: Any) -> list[AdObject]:
        if not isinstance(filtering, dict):
            raise TikTokError(40002, "filtering: Not a valid mapping type.")
        statuses = PRIMARY.get(str(filtering.get("primary_status", "STATUS_NOT_DELETE")))
        if statuses is None:
            raise TikTokError(40002, "filtering.primary_status: Not a valid choice.")
        things = [o for o in self.world.account_objects(account.id, kind) if o.status in statuses]
        for name, wanted in filtering.items():
            if name in ID_FILTERS and isinstance(wanted, list):
                if not 1 <= len(wanted) <= 100:
                    raise TikTokError(40002, f"filtering.{name}: between 1 and 100 ids.")
                read = FIELDS[kind].get(ID_FILTERS[name])
                things = [o for o in things if read and read(self.world, o) in map(str, wanted)]
            elif name == "secondary_status":
                things = [o for o in things if _secondary(self.world, o) == wanted]
            elif name != "primary_status":
                raise TikTokError(40002, f"filtering.{name}: the sandbox does not filter by this.")
        return things


FAULTS = {
    "rate_limit": TikTokError(40100, "Too many requests. Please retry in some time."),
    "server_error": TikTokError(50002, "Service error. Please retry."),
    "expired_token": TikTokError(40105, "Access token is incorrect or has been revoked."),
}


def _body(request: Request) -> dict[str, Any]:
    body = loads(request.get_data(as_text=True))
    return body if isinstance(body, dict) else {}


def _read(world: World, thing: AdObject, wanted: list[Any] | None) -> dict[str, Any]:
    names = list(FIELDS[thing.kind]) if wanted is None else wanted
    body = {name: FIELDS[thing.kind][name](world, thing) for name in names}
    return {name: found for name, found in body.items() if found is not None or name != "budget_optimize_on"}
