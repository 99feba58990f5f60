"""The rows of Meta's ad tree as records: budgets and bids in Meta's own sub-units of the account's currency."""

from __future__ import annotations

from collections.abc import Callable

from connectors.contracts import (
    AccountRecord,
    AdRecord,
    AdSetRecord,
    Bid,
    BidStrategy,
    CampaignRecord,
    CreativeRecord,
    DeliveryStatus,
    Held,
    Level,
)
from connectors.fields import Row, count, identifier, known, malformed, part, text
from connectors.login_contracts import OwnedAccount
from connectors.money import meta_to_micros

STATUSES = {
    "ACTIVE": DeliveryStatus.ACTIVE,
    "PAUSED": DeliveryStatus.PAUSED,
    "ARCHIVED": DeliveryStatus.REMOVED,
    "DELETED": DeliveryStatus.REMOVED,
}
ACCOUNT_STATUSES = {
    1: "ACTIVE",
    2: "DISABLED",
    3: "UNSETTLED",
    7: "IN_RISK_REVIEW",
    8: "SETTLEMENT_PENDING",
    9: "IN_GRACE_PERIOD",
    100: "CLOSURE_PENDING",
    101: "CLOSED",
}
STATUS_WORDS = {DeliveryStatus.ACTIVE: "ACTIVE", DeliveryStatus.PAUSED: "PAUSED"}
LEARNING = {"LEARNING": True, "SUCCESS": False, "FAIL": False}
BID_STRATEGIES = {
    "LOWEST_COST_WITHOUT_CAP": BidStrategy.LOWEST_COST,
    "LOWEST_COST_WITH_BID_CAP": BidStrategy.BID_CAP,
    "COST_CAP": BidStrategy.COST_CAP,
    "LOWEST_COST_WITH_MIN_ROAS": BidStrategy.MINIMUM_ROAS,
}
BID_WORDS = {strategy: word for word, strategy in BID_STRATEGIES.items()}
CAPS = (BidStrategy.BID_CAP, BidStrategy.COST_CAP)
ROAS_STEP = 100  # Meta counts a return in ten-thousandths (10000 is 1.0), a record in millionths

COMMON_FIELDS = "id,account_id,name,status,configured_status,effective_status"
BUDGET_FIELDS = "daily_budget,lifetime_budget,bid_strategy,bid_constraints"
ACCOUNT_FIELDS = "id,name,currency,timezone_name,account_status,min_daily_budget,spend_cap,amount_spent"
OWNED_FIELDS = "id,name,currency,timezone_name,account_status"
CREATIVE_FIELDS = "id,name,object_type,title,body,call_to_action_type,link_url,object_story_spec"
FIELDS = {
    Level.CAMPAIGN: f"{COMMON_FIELDS},objective,{BUDGET_FIELDS}",
    Level.AD_SET: f"{COMMON_FIELDS},campaign_id,{BUDGET_FIELDS},bid_amount,learning_stage_info",
    Level.AD: f"{COMMON_FIELDS},adset_id,creative",
}


def account(source: Row) -> AccountRecord:
    """An account; a `spend_cap` of "0" is none."""
    currency = text(source, "currency")
    return AccountRecord(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        currency=currency,
        timezone=text(source, "timezone_name"),
        status=_account_status(source),
        minimum_daily_budget_micros=_amount(source, "min_daily_budget", currency) or None,
        spend_cap_micros=_amount(source, "spend_cap", currency) or None,
        spent_micros=_amount(source, "amount_spent", currency),
    )


def owned_account(source: Row) -> OwnedAccount:
    return OwnedAccount(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        currency=text(source, "currency"),
        timezone=text(source, "timezone_name"),
        status=_account_status(source),
    )


def campaign(source: Row, currency: str) -> CampaignRecord:
    return CampaignRecord(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        status=_status(source),
        effective_status=text(source, "effective_status"),
        objective=text(source, "objective"),
        daily_budget_micros=_amount(source, "daily_budget", currency) or None,
        lifetime_budget_micros=_amount(source, "lifetime_budget", currency) or None,
        bid=_bid(source, currency),
    )


def ad_set(source: Row, currency: str) -> AdSetRecord:
    return AdSetRecord(
        external_id=identifier(source, "id"),
        campaign_external_id=identifier(source, "campaign_id"),
        name=text(source, "name"),
        status=_status(source),
        effective_status=text(source, "effective_status"),
        daily_budget_micros=_amount(source, "daily_budget", currency) or None,
        lifetime_budget_micros=_amount(source, "lifetime_budget", currency) or None,
        in_learning=LEARNING.get(text(part(source, "learning_stage_info"), "status")),
        bid=_bid(source, currency),
    )


def ad(source: Row, currency: str = "") -> AdRecord:
    creative = part(source, "creative")
    return AdRecord(
        external_id=identifier(source, "id"),
        ad_set_external_id=identifier(source, "adset_id"),
        name=text(source, "name"),
        status=_status(source),
        effective_status=text(source, "effective_status"),
        creative_external_id=identifier(creative, "id") if creative else "",
    )


RECORDS: dict[Level, Callable[[Row, str], Held]] = {
    Level.CAMPAIGN: campaign,
    Level.AD_SET: ad_set,
    Level.AD: ad,
}


def creative(source: Row) -> CreativeRecord:
    """A creative; what it does not say itself is looked for in the story that it was made from."""
    spec = part(source, "object_story_spec")
    story = part(spec, "link_data") or part(spec, "video_data")
    button = part(story, "call_to_action")
    return CreativeRecord(
        external_id=identifier(source, "id"),
        name=text(source, "name"),
        format=text(source, "object_type"),
        title=text(source, "title") or text(story, "name") or text(story, "title"),
        body=text(source, "body") or text(story, "message"),
        call_to_action=text(source, "call_to_action_type") or text(button, "type"),
        link=text(source, "link_url") or text(story, "link") or text(part(button, "value"), "link"),
    )


def _account_status(source: Row) -> str:
    number = known(count(source, "account_status"), "account_status")
    return ACCOUNT_STATUSES.get(number, str(number))


def _status(source: Row) -> DeliveryStatus:
    """A status that we do not know counts as paused: nothing acts on it, and its text is kept beside it."""
    word = text(source, "configured_status") or text(source, "status")
    return STATUSES.get(word, DeliveryStatus.PAUSED)


def _amount(source: Row, name: str, currency: str) -> int | None:
    """Micros of an amount in sub-units. Of daily and lifetime budget the unused one reads "0"."""
    value = source.get(name)
    if value is None:
        return None
    try:
        return meta_to_micros(value, currency)
    except ValueError as error:
        raise malformed(name, value) from error


def _bid(source: Row, currency: str) -> Bid | None:
    """How it bids; `None` where Meta does not say or says a word that we do not know."""
    strategy = BID_STRATEGIES.get(text(source, "bid_strategy"))
    if strategy is None:
        return None
    if strategy in CAPS:
        return Bid(strategy, amount_micros=_amount(source, "bid_amount", currency) or None)
    if strategy is BidStrategy.MINIMUM_ROAS:
        floor = count(part(source, "bid_constraints"), "roas_average_floor")
        return Bid(strategy, roas_ppm=floor * ROAS_STEP if floor else None)
    return Bid(strategy)
