"""What can be made on Meta: campaigns, ad sets, creatives, ads, and the refusals that stand before them.

Sources: the SDK's parameter lists; marketing-api changelog (budget sharing since v24).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from connectors.sandbox import meta_fields
from connectors.sandbox.answers import loads
from connectors.sandbox.meta_creative import STORIES
from connectors.sandbox.meta_errors import MetaError, invalid, missing
from connectors.sandbox.meta_fields import BID_STRATEGIES, WITHOUT_CAP, carries_budget
from connectors.sandbox.meta_session import Call
from connectors.sandbox.meta_writes import (
    BUDGETS,
    CAMPAIGN_CARRIES,
    GLOBAL,
    check_minimum,
    check_terms,
    creative_id,
    floor_of,
    is_rehearsal,
    moment_text,
)
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import Change, World

MADE = {"campaigns": "campaign", "adsets": "ad_set", "ads": "ad", "adcreatives": "creative"}
EDGES = {**MADE, "advideos": "creative", "adimages": "creative"}
OBJECTIVES = ("AWARENESS", "TRAFFIC", "ENGAGEMENT", "LEADS", "APP_PROMOTION", "SALES")
CATEGORIES = (
    *("NONE", "EMPLOYMENT", "HOUSING", "CREDIT", "FINANCIAL_PRODUCTS_SERVICES"),
    *("ISSUES_ELECTIONS_POLITICS", "ONLINE_GAMBLING_AND_GAMING"),
)
BILLING_EVENTS = ("IMPRESSIONS", "LINK_CLICKS", "THRUPLAY", "POST_ENGAGEMENT", "PAGE_LIKES", "PURCHASE")
NEEDS_PIXEL = ("OFFSITE_CONVERSIONS", "VALUE")
STORY_SOURCES = ("object_story_id", "asset_feed_spec", "image_hash", "image_url", "video_id", "product_set_id")


@dataclass
class Plan:
    """An object that is about to be made; money in micros, `extra` in Meta's own words."""

    kind: str
    parent: str
    name: str
    status: str
    daily_budget: int | None = None
    lifetime_budget: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def text(given: str) -> str | None:
    return given if len(given) <= 4000 else None


def json_object(given: str) -> dict[str, Any] | None:
    found = _plain_json(given)
    return found if isinstance(found, dict) else None


def json_list(given: str) -> list[Any] | None:
    found = _plain_json(given)
    return found if isinstance(found, list) else None


def _plain_json(given: str) -> Any:
    """The value of `given`; None also for numbers that other readers of JSON do not know, such as NaN."""
    try:
        return loads(json.dumps(loads(given), allow_nan=False))
    except (ValueError, RecursionError):
        return None


def truth(given: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(given.lower())


def whole(given: str) -> int | None:
    return int(given) if re.fullmatch(r"[0-9]{1,15}", given) else None


# Parameters that are kept as they are given, and how each is read.
KEPT: dict[str, dict[str, Callable[[str], Any]]] = {
    "campaign": {
        "objective": text,
        "buying_type": text,
        "special_ad_categories": json_list,
        "special_ad_category_country": json_list,
        "is_adset_budget_sharing_enabled": truth,
        "bid_strategy": text,
        "promoted_object": json_object,
        "spend_cap": whole,
        "start_time": text,
        "stop_time": text,
        "pacing_type": json_list,
        "adlabels": json_list,
    },
    "ad_set": {
        "optimization_goal": text,
        "billing_event": text,
        "targeting": json_object,
        "promoted_object": json_object,
        "attribution_spec": json_list,
        "bid_strategy": text,
        "bid_amount": whole,
        "bid_constraints": floor_of,
        "destination_type": text,
        "dsa_beneficiary": text,
        "dsa_payor": text,
        "start_time": text,
        "end_time": text,
        "is_dynamic_creative": truth,
        "pacing_type": json_list,
        "adset_schedule": json_list,
        "frequency_control_specs": json_list,
        "daily_min_spend_target": whole,
        "daily_spend_cap": whole,
        "lifetime_min_spend_target": whole,
        "lifetime_spend_cap": whole,
        "adlabels": json_list,
    },
    "ad": {
        "tracking_specs": lambda given: json_list(given) or json_object(given),
        "conversion_domain": text,
        "display_sequence": whole,
        "adlabels": json_list,
    },
    "creative": {
        "object_story_spec": json_object,
        "object_story_id": text,
        "asset_feed_spec": json_object,
        "degrees_of_freedom_spec": json_object,
        "call_to_action": json_object,
        "title": text,
        "body": text,
        "image_hash": text,
        "image_url": text,
        "video_id": text,
        "link_url": text,
        "object_url": text,
        "url_tags": text,
        "actor_id": text,
        "instagram_user_id": text,
        "product_set_id": text,
        "template_url": text,
        "authorization_category": text,
        "adlabels": json_list,
    },
}
OWN = {
    "campaign": {"name", "status", *BUDGETS},
    "ad_set": {"name", "status", "campaign_id", *BUDGETS},
    "ad": {"name", "status", "adset_id", "creative"},
    "creative": {"name", "status"},
}


def received(world: World, account: Account, edge: str, name: str) -> Change:
    """A create as the ledger names it, before it has an id."""
    kind = EDGES[edge]
    unborn = AdObject("meta", kind, "", account.id, account.id, name, world.now, world.now, "")
    return Change(unborn, "created", "", None, name, None)


def create(call: Call, edge: str) -> dict[str, Any]:
    """Make an object, and answer with its id and the fields asked for."""
    plan = CHECKS[MADE[edge]](call)
    meta_fields.check(plan.kind, call.params)
    if is_rehearsal(call.params):
        return {"success": True}
    made = call.world.create(
        call.account,
        plan.kind,
        plan.parent,
        plan.name,
        status=plan.status,
        daily_budget=plan.daily_budget,
        lifetime_budget=plan.lifetime_budget,
        extra=plan.extra,
    )
    return meta_fields.read(call.world, made, call.params)


def _plan(call: Call, kind: str, parent: str) -> Plan:
    """The parts that all kinds share. Raises MetaError for a parameter that is missing, unknown or unreadable."""
    params = call.params
    if unknown := sorted(set(params) - GLOBAL - OWN[kind] - set(KEPT[kind])):
        raise invalid(unknown[0])
    name = params.get("name", "").strip()
    if kind != "creative" and not name:
        raise missing("name")
    status = params.get("status", "ACTIVE")
    if status not in ("ACTIVE", "PAUSED"):
        raise invalid("status")
    extra = {known: read(params[known]) for known, read in KEPT[kind].items() if known in params}
    for known, value in extra.items():
        if value is None:
            raise invalid(known)
    return Plan(kind, parent, name[:400] or "Untitled creative", status, extra=extra)


def _set_budget(call: Call, plan: Plan) -> None:
    """Read the one budget that may be given."""
    given = [known for known in BUDGETS if known in call.params]
    if len(given) > 1:
        raise invalid("lifetime_budget", "an object has a daily budget or a lifetime budget, not both")
    stand_in = received(call.world, call.account, "adsets", plan.name).target
    for known in given:
        units = whole(call.params[known])
        if units is None:
            raise invalid(known)
        micros = units * meta_fields.unit_of(call.world, stand_in)
        check_minimum(call.world, stand_in, known, micros)
        setattr(plan, known, micros)


def _campaign(call: Call) -> Plan:
    plan = _plan(call, "campaign", call.account.id)
    if "objective" not in plan.extra:
        raise missing("objective")
    if plan.extra["objective"].removeprefix("OUTCOME_") not in OBJECTIVES or plan.extra["objective"] in OBJECTIVES:
        raise invalid("objective", "it must be one of the OUTCOME_ objectives")
    if "special_ad_categories" not in plan.extra:
        raise missing("special_ad_categories")
    if not set(map(str, plan.extra["special_ad_categories"])) <= set(CATEGORIES):
        raise invalid("special_ad_categories")
    _set_budget(call, plan)
    has_budget = plan.daily_budget or plan.lifetime_budget
    if not has_budget and "is_adset_budget_sharing_enabled" not in plan.extra:
        why = "Must specify True or False in is_adset_budget_sharing_enabled if you are not using campaign budget"
        raise MetaError(100, why, 4834011, blame="is_adset_budget_sharing_enabled")
    if "bid_strategy" in plan.extra and (not has_budget or plan.extra["bid_strategy"] not in BID_STRATEGIES):
        raise invalid("bid_strategy")
    _set_times(call, plan, "stop_time")
    return plan


def _ad_set(call: Call) -> Plan:
    campaign = _parent(call, "campaign_id", "campaign")
    plan = _plan(call, "ad_set", campaign.id)
    for known in ("optimization_goal", "billing_event", "targeting"):
        if known not in plan.extra:
            raise missing(known)
    if plan.extra["billing_event"] not in BILLING_EVENTS:
        raise invalid("billing_event")
    if not {"geo_locations", "custom_audiences"} & set(plan.extra["targeting"]):
        raise invalid("targeting", "it must name at least one place or custom audience", 1885364)
    if plan.extra["optimization_goal"] in NEEDS_PIXEL and not plan.extra.get("promoted_object"):
        raise missing("promoted_object")
    _set_ad_set_budget(call, plan, campaign)
    _set_times(call, plan, "end_time")
    if plan.lifetime_budget and "end_time" not in plan.extra:
        raise invalid("end_time", "a lifetime budget needs an end time")
    _check_bid(plan, campaign)
    return plan


def _set_ad_set_budget(call: Call, plan: Plan, campaign: AdObject) -> None:
    given = any(known in call.params for known in BUDGETS)
    if given and carries_budget(campaign):
        raise MetaError(100, CAMPAIGN_CARRIES, 1885621, blame="daily_budget")
    if not given and not carries_budget(campaign):
        raise missing("daily_budget")
    _set_budget(call, plan)


def _check_bid(plan: Plan, campaign: AdObject) -> None:
    own = plan.extra.get("bid_strategy")
    if own is not None and (own not in BID_STRATEGIES or carries_budget(campaign)):
        raise invalid("bid_strategy")
    above = campaign.extra.get("bid_strategy") if carries_budget(campaign) else None
    asked: dict[str, Any] = {
        known: plan.extra[known] for known in ("bid_amount", "bid_constraints") if known in plan.extra
    }
    check_terms(str(own or above or WITHOUT_CAP), asked, {})


def _set_times(call: Call, plan: Plan, last: str) -> None:
    """Times as Meta writes them back; the end must lie ahead, and after the start."""
    stand_in = received(call.world, call.account, "adsets", plan.name).target
    for known in ("start_time", last):
        if known in plan.extra:
            plan.extra[known] = moment_text(call.world, stand_in, plan.extra[known])
            if plan.extra[known] is None:
                raise invalid(known)
    end, start = plan.extra.get(last), plan.extra.get("start_time")
    begins = max(_moment(start), call.world.now) if start else call.world.now
    if end and _moment(end) <= begins:
        raise invalid(last, "it must lie after the start and after now")


def _moment(written: str) -> datetime:
    return datetime.strptime(written, "%Y-%m-%dT%H:%M:%S%z")


def _ad(call: Call) -> Plan:
    ad_set = _parent(call, "adset_id", "ad_set")
    plan = _plan(call, "ad", ad_set.id)
    if "creative" not in call.params:
        raise missing("creative")
    shown = creative_id(call.world, call.account.id, call.params["creative"])
    if shown is None:
        raise invalid("creative", "it must name a creative of this account by creative_id", 1487390)
    plan.extra["creative_id"] = shown
    return plan


def _creative(call: Call) -> Plan:
    plan = _plan(call, "creative", call.account.id)
    spec = plan.extra.get("object_story_spec")
    if spec is None and not set(STORY_SOURCES) & set(plan.extra):
        raise missing("object_story_spec")
    if spec is not None:
        if not spec.get("page_id"):
            raise invalid("object_story_spec", "page_id is required", 1443048)
        if not any(isinstance(spec.get(part), dict) for part in (*STORIES, "template_data", "text_data")):
            raise invalid("object_story_spec", "link_data, video_data or photo_data is required")
    action = plan.extra.pop("call_to_action", None)
    if action is not None:
        plan.extra["call_to_action_type"] = action.get("type")
    return plan


def _parent(call: Call, param: str, kind: str) -> AdObject:
    if param not in call.params:
        raise missing(param)
    thing = call.world.objects.get(call.params[param])
    if thing is None or thing.kind != kind or thing.account != call.account.id:
        raise invalid(param, "no such object in this account")
    if meta_fields.effective_status(call.world, thing) in meta_fields.GONE:
        raise invalid(param, "the object is deleted or archived")
    return thing


CHECKS: dict[str, Callable[[Call], Plan]] = {
    "campaign": _campaign,
    "ad_set": _ad_set,
    "ad": _ad,
    "creative": _creative,
}
