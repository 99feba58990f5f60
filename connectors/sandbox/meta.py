"""The Meta face: Marketing API v26.0 under `/v26.0/`, as far as the sandbox knows it.

`respond` answers a request; `received` says which writes a request asks for; `change` and `check` are shared
with people's own edits. Errors have Meta's shape and codes.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from connectors.sandbox import meta_fields, meta_insights
from connectors.sandbox.answers import Bucket, Request, Response, answer, loads
from connectors.sandbox.currencies import meta_unit_micros
from connectors.sandbox.meta_batch import batch, parts_of
from connectors.sandbox.meta_fields import MetaError, minimum_units
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import Change, World

VERSIONS = ("v25.0", "v26.0")
PATH = re.compile(r"/(v\d+\.\d+)(?:/([^/]+))?(?:/([^/]+))?/?$")
STATUSES = ("ACTIVE", "PAUSED", "DELETED", "ARCHIVED")
EDGES = {"campaigns": "campaign", "adsets": "ad_set", "ads": "ad"}
WRITABLE = {"daily_budget": "daily_budget", "lifetime_budget": "lifetime_budget", "status": "status"}
BUDGET_CHANGES_PER_HOUR = 4
SCORE_MAX, SCORE_DECAY_SECONDS, READ_SCORE, WRITE_SCORE = 9000, 300, 1, 3
TIER = "standard_access"

Params = Mapping[str, str]


class Face:
    """Answers for one world; keeps the call scores, which follow wall time."""

    platform = "meta"

    def __init__(self, world: World) -> None:
        self.world = world
        self._scores: dict[str, Bucket] = {}

    def respond(self, request: Request) -> Response:
        account: Account | None = None
        try:
            account = self._account(request)
            self._score(account, request.method)
            body = self._route(account, request)
            response = answer(body)
        except MetaError as error:
            response = error_answer(error)
        if account is not None:
            response.headers.update(self._usage(account, request.path.rstrip("/").endswith("insights")))
        return response

    def received(self, request: Request) -> list[Change]:
        if batched := params_of(request).get("batch"):
            return [change for part in parts_of(request, batched) for change in self.received(part)]
        match = PATH.match(request.path)
        target = self.world.objects.get(match[2] or "") if match else None
        if request.method != "POST" or target is None or target.platform != "meta":
            return []
        return changes(self.world, target, params_of(request))

    def fault(self, kind: str) -> tuple[Response, str]:
        """The answer of a fault, and its code in the ledger."""
        error = FAULTS[kind]
        return error_answer(error), error.label

    def edit(self, target: AdObject, field: str, value: Any) -> None:
        """A person's own edit. Raises MetaError when Meta's page would refuse it too."""
        found = changes(self.world, target, {field: str(value)})
        if not found:
            raise MetaError(100, f"({field}) cannot be edited")
        for change in found:
            check(self.world, change)
            self.world.write(change, "human")

    def _account(self, request: Request) -> Account:
        match = PATH.match(request.path)
        if match and match[1] not in VERSIONS:
            raise MetaError(2635, f"You are calling a deprecated version of the Ads API: {match[1]}")
        params = params_of(request)
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        token = params.get("access_token") or (bearer.strip() if scheme.lower() == "bearer" else "")
        if not token:
            raise MetaError(104, "An access token is required to request this resource.")
        found = [a for a in self.world.accounts.values() if a.platform == "meta" and a.token == token]
        if not found:
            raise MetaError(190, "Error validating access token: Session has expired.", 463)
        proof = params.get("appsecret_proof")
        wanted = hmac.new(found[0].app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        if proof is not None and not hmac.compare_digest(proof.encode(), wanted.encode()):
            raise MetaError(100, "Invalid appsecret_proof provided in the API argument")
        return found[0]

    def _score(self, account: Account, method: str) -> None:
        bucket = self._scores.setdefault(account.id, Bucket(SCORE_MAX, SCORE_MAX / SCORE_DECAY_SECONDS))
        if not bucket.take(READ_SCORE if method == "GET" else WRITE_SCORE, time.monotonic()):
            raise FAULTS["rate_limit"]

    def _usage(self, account: Account, is_insights: bool) -> dict[str, str]:
        bucket = self._scores.get(account.id)
        used = round(100 - 100 * bucket.available(time.monotonic()) / SCORE_MAX, 2) if bucket else 0.0
        share = {"call_count": int(used), "total_time": int(used), "total_cputime": int(used)}
        case = {
            "type": "ads_insights" if is_insights else "ads_management",
            **share,
            "estimated_time_to_regain_access": 0,
            "ads_api_access_tier": TIER,
        }
        told = {
            "X-App-Usage": share,
            "X-Ad-Account-Usage": {
                "acc_id_util_pct": used,
                "reset_time_duration": 0,
                "ads_api_access_tier": TIER,
            },
            "X-Business-Use-Case-Usage": {account.id.removeprefix("act_"): [case]},
            "X-FB-Ads-Insights-Throttle": {
                "app_id_util_pct": used,
                "acc_id_util_pct": used,
                "ads_api_access_tier": TIER,
            },
        }
        return {name: answer(value).get_data(as_text=True) for name, value in told.items()}

    def _route(self, account: Account, request: Request) -> Any:
        match = PATH.match(request.path)
        if match is None:
            raise MetaError(2500, "Unknown path components: " + request.path)
        node, edge = match[2], match[3]
        params = params_of(request)
        if request.method == "GET" and node is None and "ids" in params:
            ids = [part for part in params["ids"].split(",") if part]
            return {i: meta_fields.read(self.world, self._find(account, i), params) for i in ids}
        if node is None and request.method == "POST" and "batch" in params:
            return batch(request, params["batch"], self.respond)
        if node is None:
            raise MetaError(2500, "Unknown path components: /")
        if node == "me" and edge in (None, "adaccounts"):
            body = meta_fields.read(self.world, account, params)
            return {"data": [body], "paging": _cursors(body["id"], body["id"])} if edge else {"id": "1001"}
        target = self._find(account, node)
        if request.method == "POST" and edge is None and isinstance(target, AdObject):
            return self._write(target, params)
        if request.method != "GET":
            raise MetaError(3, "Application does not have the capability to make this API call.")
        return self._read(account, target, edge, params, request)

    def _read(
        self, account: Account, target: Account | AdObject, edge: str | None, params: Params, request: Request
    ) -> Any:
        if edge is None:
            return meta_fields.read(self.world, target, params)
        if edge == "insights":
            found = meta_insights.rows(self.world, account, target, params)
            return _page(found, [str(place) for place in range(len(found))], params, request)
        if edge == "minimum_budgets" and isinstance(target, Account):
            return _page([_minimums(account)], ["0"], params, request)
        if edge == "activities" and isinstance(target, Account):
            found = self._activities(account)
            return _page(found, [str(place) for place in range(len(found))], params, request)
        if edge not in EDGES:
            raise MetaError(2500, f"Unknown path components: /{edge}")
        things = meta_fields.listed(self.world, account, target, EDGES[edge], params)
        bodies = [meta_fields.read(self.world, thing, params) for thing in things]
        return _page(bodies, [thing.id for thing in things], params, request)

    def _find(self, account: Account, node: str) -> Account | AdObject:
        thing = self.world.objects.get(node)
        if node == account.id:
            return account
        if thing is None or thing.account != account.id:
            raise MetaError(100, f"Unsupported request. Object with ID '{node}' does not exist", 33)
        return thing

    def _write(self, target: AdObject, params: Params) -> dict[str, bool]:
        known = {*WRITABLE, "access_token", "appsecret_proof", "execution_options", "name"}
        if unknown := sorted(set(params) - known):
            raise MetaError(100, f"Invalid parameter: {unknown[0]}")
        wanted = changes(self.world, target, params)
        try:
            for change in wanted:
                check(self.world, change)
                _check_frequency(self.world, change)
        except MetaError as error:
            for change in wanted:
                self.world.refuse(change, error.label)
            raise
        if "validate_only" not in _list(params.get("execution_options", "[]")):
            for change in wanted:
                self.world.write(change, "api")
        return {"success": True}

    def _activities(self, account: Account) -> list[dict[str, Any]]:
        events = {"status": "run_status"}
        return [
            {
                "event_time": row["market_time"],
                "event_type": f"update_ad_set_{events.get(row['field'], 'budget')}",
                "object_id": row["object_id"],
                "actor_name": row["actor"],
                "extra_data": answer({"old_value": row["old"], "new_value": row["new"]}).get_data(as_text=True),
            }
            for row in reversed(self.world.ledger)
            if row["account"] == account.id and row["result"] == "applied"
        ]


FAULTS = {
    "rate_limit": MetaError(17, "User request limit reached", 2446079),
    "server_error": MetaError(2, "An unexpected error has occurred. Please retry.", status=500, transient=True),
    "expired_token": MetaError(190, "Error validating access token: Session has expired.", 463),
}


def params_of(request: Request) -> dict[str, str]:
    body = loads(request.get_data(as_text=True), {}) if request.is_json else {}
    typed = {str(k): v if isinstance(v, str) else answer(v).get_data(as_text=True) for k, v in _dict(body)}
    return {**request.args.to_dict(), **request.form.to_dict(), **typed}


def _dict(body: Any) -> list[tuple[Any, Any]]:
    return list(body.items()) if isinstance(body, dict) else []


def _list(text: str) -> list[Any]:
    value = loads(text, [text])
    return value if isinstance(value, list) else [value]


def changes(world: World, target: AdObject, params: Params) -> list[Change]:
    """The writes that `params` ask for; `value` is None where the text means nothing to Meta."""
    currency = world.accounts[target.account].currency
    found = []
    for field, attribute in WRITABLE.items():
        if field not in params:
            continue
        text = params[field]
        value: int | str | None = text if text in STATUSES else None
        if field != "status":
            value = int(text) * meta_unit_micros(currency) if re.fullmatch(r"[0-9]{1,15}", text) else None
        old = meta_fields.value(world, target, field)
        new = text if value is None or field == "status" else str(int(text))
        found.append(Change(target, field, attribute, old, new, value))
    return found


def check(world: World, change: Change) -> None:
    """Raise MetaError unless Meta would take the change. How often is checked elsewhere."""
    target = change.target
    if change.value is None:
        raise MetaError(100, f"Invalid parameter: {change.field}", blame=change.field)
    if target.status == "DELETED":
        raise MetaError(100, "The object is deleted and cannot be changed", 1487866)
    if change.field == "status":
        return
    if target.kind == "ad":
        raise MetaError(100, "Invalid parameter: an ad has no budget", blame=change.field)
    partner = world.objects.get(target.parent) if target.kind == "ad_set" else None
    if partner and (partner.daily_budget or partner.lifetime_budget):
        raise MetaError(100, "The campaign carries the budget", 1885621, blame=change.field)
    if target.kind == "campaign" and not (target.daily_budget or target.lifetime_budget):
        raise MetaError(100, "The ad sets carry the budgets", 1885621, blame=change.field)
    if getattr(target, change.attribute) is None:
        raise MetaError(100, "A daily budget cannot become a lifetime budget, nor back", blame=change.field)
    account = world.accounts[target.account]
    if int(change.value) < minimum_units(account.currency) * meta_unit_micros(account.currency):
        raise MetaError(100, "Your budget is too low", 1885272, blame=change.field)


def _check_frequency(world: World, change: Change) -> None:
    if change.field != "status":
        since = world.now - timedelta(hours=1)
        if world.budget_changes_since(change.target, since) >= BUDGET_CHANGES_PER_HOUR:
            text = "You can change the budget of an ad set at most 4 times an hour."
            raise MetaError(613, text, 1487632)


def error_answer(error: MetaError) -> Response:
    body: dict[str, Any] = {
        "message": error.message,
        "type": "OAuthException",
        "code": error.code,
        "is_transient": error.transient,
        "fbtrace_id": hashlib.sha256(error.message.encode()).hexdigest()[:22],
    }
    if error.subcode:
        body |= {
            "error_subcode": error.subcode,
            "error_user_title": "The request was refused",
            "error_user_msg": error.message,
        }
    if error.blame:
        body["error_data"] = {"blame_field_specs": [[error.blame]]}
    return answer({"error": body}, error.status)


def _minimums(account: Account) -> dict[str, Any]:
    least = minimum_units(account.currency)
    return {
        "currency": account.currency,
        "min_daily_budget_imp": least,
        "min_daily_budget_high_freq": least * 5,
        "min_daily_budget_low_freq": least * 40,
        "min_daily_budget_video_views": least,
    }


def _cursors(first: str, last: str) -> dict[str, Any]:
    def cursor(text: str) -> str:
        return base64.urlsafe_b64encode(f"at:{text}".encode()).decode().rstrip("=")

    return {"cursors": {"before": cursor(first), "after": cursor(last)}}


def _page(found: list[Any], keys: list[str], params: Params, request: Request) -> dict[str, Any]:
    """One page of `found`; its cursors stand for `keys`. `next` only when there is more."""
    text = params.get("limit", "25")
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) < 1:
        raise MetaError(100, "(#100) limit must be a positive integer")
    limit, start = int(text), 0
    places = {_cursors(key, key)["cursors"]["after"]: place for place, key in enumerate(keys)}
    if "after" in params:
        start = _place(places, params["after"]) + 1
    elif "before" in params:
        start = max(_place(places, params["before"]) - limit, 0)
    page = found[start : start + limit]
    if not page:
        return {"data": []}
    paging = _cursors(keys[start], keys[start + len(page) - 1])
    query = {k: v for k, v in request.args.items() if k not in ("after", "before")}
    if start + limit < len(found):
        following = urlencode({**query, "limit": text, "after": paging["cursors"]["after"]})
        paging["next"] = f"{request.base_url}?{following}"
    if start > 0:
        preceding = urlencode({**query, "limit": text, "before": paging["cursors"]["before"]})
        paging["previous"] = f"{request.base_url}?{preceding}"
    return {"data": page, "paging": paging}


def _place(places: dict[str, int], cursor: str) -> int:
    if cursor not in places:
        raise MetaError(100, "Invalid cursor")
    return places[cursor]
