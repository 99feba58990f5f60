"""Meta's change history: `/act_x/activities`, newest first.

Event types as in the SDK's AdActivity; the shapes of `extra_data` as seen on real accounts: a budget nested
with the words "Per day" or "Lifetime budget", in the currency's sub-units; a status as Active or Inactive.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from connectors.sandbox.meta_errors import MetaError
from connectors.sandbox.meta_lists import page
from connectors.sandbox.meta_selection import field_names
from connectors.sandbox.meta_session import Call, many
from connectors.sandbox.tenants import Account, AdObject

APP_NAME = "Bursar"
EVENTS = {
    ("campaign", "created"): "create_campaign_group",
    ("ad_set", "created"): "create_ad_set",
    ("ad", "created"): "create_ad",
    ("campaign", "daily_budget"): "update_campaign_budget",
    ("campaign", "lifetime_budget"): "update_campaign_budget",
    ("ad_set", "daily_budget"): "update_ad_set_budget",
    ("ad_set", "lifetime_budget"): "update_ad_set_budget",
    ("campaign", "status"): "update_campaign_run_status",
    ("ad_set", "status"): "update_ad_set_run_status",
    ("ad", "status"): "update_ad_run_status",
    ("campaign", "name"): "update_campaign_name",
    ("ad_set", "name"): "update_ad_set_name",
    ("ad", "name"): "update_ad_friendly_name",
    ("ad", "creative"): "update_ad_creative",
    ("campaign", "bid_strategy"): "update_ad_set_bid_strategy",
    ("ad_set", "bid_strategy"): "update_ad_set_bid_strategy",
    ("ad_set", "bid_amount"): "update_ad_set_bidding",
    ("ad_set", "bid_constraints"): "update_ad_set_bidding",
    ("ad_set", "end_time"): "update_ad_set_duration",
}
# Meta still gives the names that its levels had before 2014.
OBJECT_TYPES = {"campaign": "CAMPAIGN_GROUP", "ad_set": "CAMPAIGN", "ad": "ADGROUP", "creative": "CREATIVE"}
BUDGET_WORDS = {"daily_budget": "Per day", "lifetime_budget": "Lifetime budget"}
STATUS_WORDS = {"ACTIVE": "Active", "PAUSED": "Inactive", "ARCHIVED": "Archived", "DELETED": "Deleted"}
CATEGORIES: dict[str, Callable[[str], bool]] = {
    "AD": lambda event: event.startswith(("create_ad", "update_ad_")) and "_set" not in event,
    "AD_SET": lambda event: "ad_set" in event,
    "CAMPAIGN": lambda event: "campaign" in event,
    "BUDGET": lambda event: event.endswith("_budget"),
    "STATUS": lambda event: event.endswith("_run_status"),
    "BID": lambda event: "_bid" in event,
}
FIELDS = (
    "actor_id",
    "actor_name",
    "application_id",
    "application_name",
    "date_time_in_timezone",
    "event_time",
    "event_type",
    "extra_data",
    "object_id",
    "object_name",
    "object_type",
    "translated_event_type",
)
DEFAULT_FIELDS = ("actor_id", "actor_name", "event_time", "event_type", "extra_data", "object_id", "object_name")


def edge(call: Call) -> dict[str, Any]:
    """The events of the account, or of one object and what hangs on it."""
    names = field_names(call.params.get("fields", "")) or list(DEFAULT_FIELDS)
    for name in names:
        if name not in FIELDS:
            raise MetaError(100, f"(#100) Tried accessing nonexisting field ({name}) on node type (AdActivity)")
    rows = _rows(call)
    return page(call, [str(row["seq"]) for row in rows], lambda k: _body(call, rows[k], names))


def _rows(call: Call) -> list[dict[str, Any]]:
    """The ledger's rows that the call asks for, the newest first."""
    first, last = _moment(call, "since"), _moment(call, "until")
    ids, category = _wanted_ids(call), call.params.get("category")
    if category is not None and category not in CATEGORIES:
        raise MetaError(100, f"(#100) category must be one of {', '.join(CATEGORIES)}")
    found = []
    for row in reversed(call.world.ledger):
        at = datetime.fromisoformat(row["market_time"])
        if first and at < first:
            break
        is_told = row["account"] == call.account.id and row["result"] == "applied" and not (last and at > last)
        if is_told and _is_asked_for(call, row, ids, category):
            found.append(row)
    return found


def _wanted_ids(call: Call) -> set[str]:
    """The objects named, and the one whose edge this is with all that hangs on it; empty for all."""
    wanted = {str(oid) for name in ("oid", "extra_oids") for oid in many(call.params.get(name, "[]"))}
    if isinstance(call.target, AdObject):
        wanted |= {o.id for o in call.world.objects.values() if call.target.id in _line(call, o)}
    return wanted


def _is_asked_for(call: Call, row: dict[str, Any], ids: set[str], category: str | None) -> bool:
    event = _event(call, row)
    return event is not None and (not ids or row["object_id"] in ids) and (not category or CATEGORIES[category](event))


def _line(call: Call, thing: AdObject) -> list[str]:
    """The ids of the object and of all above it."""
    line = [thing.id]
    while (above := call.world.objects.get(thing.parent)) is not None:
        thing = above
        line.append(thing.id)
    return line


def _event(call: Call, row: dict[str, Any]) -> str | None:
    return EVENTS.get((call.world.objects[row["object_id"]].kind, row["field"]))


def _moment(call: Call, name: str) -> datetime | None:
    """A moment as seconds since 1970, or as a day of the account's calendar."""
    text = call.params.get(name)
    if text is None:
        return None
    try:
        if re.fullmatch(r"[0-9]{1,11}", text):
            return datetime.fromtimestamp(int(text), UTC)
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=call.world.zone(call.account))
    except (ValueError, OverflowError, OSError) as error:
        raise MetaError(100, f"(#100) {name} must be a Unix time or a date") from error


def _body(call: Call, row: dict[str, Any], names: list[str]) -> dict[str, Any]:
    thing, event = call.world.objects[row["object_id"]], _event(call, row) or ""
    at = datetime.fromisoformat(row["market_time"])
    is_api = row["actor"] == "api"
    every = {
        "actor_id": system_user(call.account) if is_api else person(call.account),
        "actor_name": f"{APP_NAME} system user" if is_api else person_name(call.world.shops[call.account.tenant].name),
        "application_id": call.account.app_id if is_api else None,
        "application_name": APP_NAME if is_api else "Power Editor",
        "date_time_in_timezone": at.astimezone(call.world.zone(call.account)).strftime("%m/%d/%Y at %I:%M %p"),
        "event_time": at.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "event_type": event,
        "extra_data": json.dumps(_change(call, row), separators=(",", ":")),
        "object_id": row["object_id"],
        "object_name": thing.name,
        "object_type": OBJECT_TYPES[thing.kind],
        "translated_event_type": event.replace("_", " ").capitalize(),
    }
    return {name: every[name] for name in names if every[name] is not None}


def _change(call: Call, row: dict[str, Any]) -> dict[str, Any]:
    old, new, field = row["old"], row["new"], row["field"]
    if field in BUDGET_WORDS:
        words = BUDGET_WORDS[field]
        return {
            "old_value": {"old_value": _units(old), "type": words},
            "new_value": {"new_value": _units(new), "type": words},
            "currency": call.account.currency,
        }
    if field == "status":
        return {"old_value": STATUS_WORDS.get(old, old), "new_value": STATUS_WORDS.get(new, new)}
    return {"new_value": new} if field == "created" else {"old_value": old, "new_value": new}


def _units(text: Any) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,18}", str(text)) else 0


def person(account: Account) -> str:
    """The id of the one who owns the tenant's ad accounts."""
    return str(10_150_000_000_000_001 + account.tenant)


def person_name(business: str) -> str:
    return f"{business} owner"


def system_user(account: Account) -> str:
    return str(10_160_000_000_000_001 + account.tenant)
