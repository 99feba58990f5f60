"""TikTok's rows as records: budgets as numbers in whole units, ids as text whatever they came as."""

from __future__ import annotations

from connectors.contracts import (
    AccountRecord,
    AdRecord,
    AdSetRecord,
    CampaignRecord,
    CreativeRecord,
    DeliveryStatus,
    Family,
)
from connectors.fields import Row, identifier, micros, part, rows, text
from connectors.login_contracts import OwnedAccount
from connectors.money import tiktok_minimum_ad_group_daily
from connectors.tiktok import bids

STATUSES = {
    "ENABLE": DeliveryStatus.ACTIVE,
    "DISABLE": DeliveryStatus.PAUSED,
    "FROZEN": DeliveryStatus.PAUSED,
    "DELETE": DeliveryStatus.REMOVED,
}
STATUS_WORDS = {DeliveryStatus.ACTIVE: "ENABLE", DeliveryStatus.PAUSED: "DISABLE"}
DAILY = frozenset({"BUDGET_MODE_DAY", "BUDGET_MODE_DYNAMIC_DAILY_BUDGET"})
LIFETIME = frozenset({"BUDGET_MODE_TOTAL"})
LEARNING = {"PHASE_LEARNING": True, "PHASE_LEARNED": False}

ACCOUNT_FIELDS = ["advertiser_id", "name", "currency", "timezone", "display_timezone", "status"]


def account(source: Row) -> AccountRecord:
    currency = text(source, "currency")
    return AccountRecord(
        external_id=identifier(source, "advertiser_id"),
        name=text(source, "name"),
        currency=currency,
        timezone=_zone(source),
        status=text(source, "status"),
        minimum_daily_budget_micros=tiktok_minimum_ad_group_daily(currency),
    )


def owned_account(source: Row) -> OwnedAccount:
    return OwnedAccount(
        external_id=identifier(source, "advertiser_id"),
        name=text(source, "name"),
        currency=text(source, "currency"),
        timezone=_zone(source),
        status=text(source, "status"),
    )


def campaign(source: Row, family: Family = Family.STANDARD) -> CampaignRecord:
    return CampaignRecord(
        external_id=identifier(source, "campaign_id"),
        name=text(source, "campaign_name"),
        status=_status(source),
        effective_status=text(source, "secondary_status"),
        objective=text(source, "objective_type"),
        daily_budget_micros=_budget(source, DAILY),
        lifetime_budget_micros=_budget(source, LIFETIME),
        bid=bids.read(source) if text(source, "bid_type") else None,
        family=family,
    )


def ad_set(source: Row, family: Family = Family.STANDARD) -> AdSetRecord:
    return AdSetRecord(
        external_id=identifier(source, "adgroup_id"),
        campaign_external_id=identifier(source, "campaign_id"),
        name=text(source, "adgroup_name"),
        status=_status(source),
        effective_status=text(source, "secondary_status"),
        daily_budget_micros=_budget(source, DAILY),
        lifetime_budget_micros=_budget(source, LIFETIME),
        in_learning=LEARNING.get(text(source, "learning_phase")),
        bid=bids.read(source),
        family=family,
    )


def ad(source: Row, family: Family = Family.STANDARD) -> AdRecord:
    return AdRecord(
        external_id=_ad_id(source, family),
        ad_set_external_id=identifier(source, "adgroup_id"),
        name=text(source, "ad_name"),
        status=_status(source),
        effective_status=text(source, "secondary_status"),
        creative_external_id=_ad_id(source, family),
        family=family,
    )


def creative(source: Row, family: Family = Family.STANDARD) -> CreativeRecord:
    """What the ad shows. TikTok knows no creatives of their own: each ad has one, under its own id (NOTES.md)."""
    if family is Family.SMART_PLUS:
        first = {
            "ad_text": text(_first(source, "ad_text_list"), "ad_text"),
            "call_to_action": text(_first(source, "call_to_action_list"), "call_to_action"),
            "landing_page_url": text(_first(source, "landing_page_url_list"), "landing_page_url"),
            "ad_format": text(part(_first(source, "creative_list"), "creative_info"), "ad_format"),
        }
    else:
        first = dict(source)
    return CreativeRecord(
        external_id=_ad_id(source, family),
        name=text(source, "ad_name"),
        format=text(first, "ad_format"),
        title=text(source, "display_name"),
        body=text(first, "ad_text"),
        call_to_action=text(first, "call_to_action"),
        link=text(first, "landing_page_url"),
    )


def gmv_max_campaign(source: Row) -> CampaignRecord:
    """From `/campaign/gmv_max/info/`; its budget is that of the ad set of the same id."""
    return CampaignRecord(
        external_id=identifier(source, "campaign_id"),
        name=text(source, "campaign_name"),
        status=_status(source),
        effective_status=text(source, "operation_status"),
        objective="PRODUCT_SALES",
        daily_budget_micros=None,
        lifetime_budget_micros=None,
        bid=bids.minimum_return(source),
        family=Family.GMV_MAX,
        store_external_id=store_id(source),
    )


def store_id(source: Row) -> str:
    """The shop that a GMV Max campaign names, itself or with its identities; "" where its details are not told."""
    places = [source, *rows(source.get("identity_list") or [], "identity_list")]
    return next((identifier(place, "store_id") for place in places if place.get("store_id")), "")


def gmv_max_ad_set(source: Row) -> AdSetRecord:
    """The ad set of the same id that carries a GMV Max campaign's budget and spend."""
    return AdSetRecord(
        external_id=identifier(source, "campaign_id"),
        campaign_external_id=identifier(source, "campaign_id"),
        name=text(source, "campaign_name"),
        status=_status(source),
        effective_status=text(source, "operation_status"),
        daily_budget_micros=micros(source, "budget") or None,
        lifetime_budget_micros=None,
        in_learning=None,
        bid=bids.minimum_return(source),
        family=Family.GMV_MAX,
    )


def _zone(source: Row) -> str:
    return text(source, "display_timezone") or text(source, "timezone")


def _ad_id(source: Row, family: Family) -> str:
    return identifier(source, "smart_plus_ad_id" if family is Family.SMART_PLUS else "ad_id")


def _first(source: Row, name: str) -> Row:
    entries = rows(source.get(name) or [], name)
    return entries[0] if entries else {}


def _status(source: Row) -> DeliveryStatus:
    """A status that we do not know counts as paused: nothing acts on it, and its text is kept beside it."""
    if text(source, "secondary_status").endswith("_STATUS_DELETE"):
        return DeliveryStatus.REMOVED
    return STATUSES.get(text(source, "operation_status"), DeliveryStatus.PAUSED)


def _budget(source: Row, modes: frozenset[str]) -> int | None:
    """The budget when its mode is one of `modes`; 0 means that another level carries it."""
    return (micros(source, "budget") or None) if text(source, "budget_mode") in modes else None
