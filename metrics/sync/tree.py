"""Mirroring the ad tree: account, campaigns, ad sets, creatives and ads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import models, transaction

from accounts.models import Ad, AdAccount, AdSet, Campaign, Creative
from connectors.contracts import AccountRecord, AdPlatform, AdSetRecord, Bid, CampaignRecord, DeliveryStatus, Family
from connectors.errors import ConfigurationError, MalformedReplyError
from connectors.hours import zone_named
from metrics.models import AdDay, HourlyMetric
from metrics.sync.refusals import storable

TEXTS = {
    "name": 400,
    "effective_status": 64,
    "objective": 64,
    "format": 64,
    "title": 500,
    "body": 500,
    "call_to_action": 64,
    "link": 500,
}
NODE = ("name", "status", "effective_status", "family")
BUDGETS = ("daily_budget_micros", "lifetime_budget_micros")
BIDS = ("bid_strategy", "bid_micros", "target_roas_ppm")
CAMPAIGN = (*NODE, *BUDGETS, *BIDS, "objective", "store_external_id")
CREATIVE = ("name", "format", "title", "body", "call_to_action", "link")
BATCH = 2000


def sync_tree(account: AdAccount, client: AdPlatform, *, as_of: datetime) -> None:
    """Mirror account, campaigns, ad sets and ads. What the platform no longer lists is marked removed."""
    before = _steered(AdSet.objects.filter(ad_account=account))
    _mirror_account(account, client.account())
    campaigns, ad_sets = list(client.campaigns()), list(client.ad_sets())
    creatives, ads = list(client.creatives()), list(client.ads())
    with storable("the ad tree"), transaction.atomic():
        campaigns = _with_stores(account, campaigns)
        campaign_ids = _mirror(Campaign, account, campaigns, CAMPAIGN, as_of)
        held = _steered(AdSet.objects.select_for_update(no_key=True).filter(ad_account=account))
        ad_sets = [_newest(record, before, held) for record in ad_sets]
        parents = Parents("campaign", "campaign_external_id", campaign_ids)
        ad_set_ids = _mirror(AdSet, account, ad_sets, (*NODE, *BUDGETS, *BIDS, "in_learning"), as_of, parents)
        creative_ids = _mirror(Creative, account, creatives, CREATIVE, as_of)
        shown = Parents("creative", "creative_external_id", creative_ids, required=False)
        _mirror(Ad, account, ads, NODE, as_of, Parents("ad_set", "ad_set_external_id", ad_set_ids), shown)


def _mirror_account(account: AdAccount, record: AccountRecord) -> None:
    """What is stored counts in one currency: an account that changes it is refused, not converted."""
    zone_named(record.timezone)
    if not re.fullmatch("[A-Z]{3}", record.currency):
        raise MalformedReplyError(f"no such currency: {record.currency[:20]!r}")
    if account.currency != record.currency and _has_figures(account):
        raise ConfigurationError(f"the ad account went from {account.currency} to {record.currency}: connect it anew")
    with storable("the ad account"), transaction.atomic():
        AdAccount.objects.filter(pk=account.pk).update(
            name=record.name[:200],
            currency=record.currency,
            timezone=record.timezone,
            platform_status=record.status[:64],
            minimum_daily_budget_micros=record.minimum_daily_budget_micros,
            spend_cap_micros=record.spend_cap_micros,
            spent_micros=record.spent_micros,
            reports_hours=record.reports_hours,
        )
    account.refresh_from_db()


def _has_figures(account: AdAccount) -> bool:
    hours, days = HourlyMetric.objects.filter(ad_account=account), AdDay.objects.filter(ad__ad_account=account)
    return hours.exists() or days.exists()


Steered = dict[str, tuple[int | None, str]]


def _steered(rows: models.QuerySet[AdSet]) -> Steered:
    """Budget and status by external id: what a dispatch changes of the mirror."""
    values = rows.values_list("external_id", "daily_budget_micros", "status")
    return {external_id: (budget, status) for external_id, budget, status in values}


def _newest(record: AdSetRecord, before: Steered, held: Steered) -> AdSetRecord:
    """What was verified while the tree was being read is newer than what was read."""
    now = held.get(record.external_id)
    if now is None or now == before.get(record.external_id):
        return record
    return replace(record, daily_budget_micros=now[0], status=DeliveryStatus(now[1]))


def _with_stores(account: AdAccount, campaigns: list[CampaignRecord]) -> list[CampaignRecord]:
    """A campaign that is deleted no longer tells which shop it sold from: what it told before stays."""
    told = Campaign.objects.filter(ad_account=account).exclude(store_external_id="")
    stores = dict(told.values_list("external_id", "store_external_id"))
    return [replace(c, store_external_id=c.store_external_id or stores.get(c.external_id, "")) for c in campaigns]


@dataclass(frozen=True, slots=True)
class Parents:
    """A foreign key of the rows: its name, the record's field with the external id, and external id to key."""

    name: str
    field: str
    ids: dict[str, Any]
    required: bool = True


def _mirror(
    model: type[models.Model],
    account: AdAccount,
    records: Sequence[Any],
    fields: Sequence[str],
    as_of: datetime,
    *parents: Parents,
) -> dict[str, Any]:
    """Upsert the records of one level; returns external id to primary key."""
    rows = {}
    for record in records:
        values = {name: _value(record, name) for name in fields}
        keys = {f"{parent.name}_id": parent.ids.get(getattr(record, parent.field)) for parent in parents}
        if any(parent.required and keys[f"{parent.name}_id"] is None for parent in parents):
            continue
        rows[record.external_id] = model(
            tenant_id=account.tenant_id,
            ad_account=account,
            external_id=record.external_id,
            seen_at=as_of,
            **values,
            **keys,
        )
    model._default_manager.bulk_create(
        list(rows.values()),
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["ad_account", "external_id"],
        update_fields=[*fields, "seen_at", *(parent.name for parent in parents)],
    )
    mirrored = model._default_manager.filter(ad_account=account)
    ids = dict(mirrored.values_list("external_id", "pk"))
    if "status" in fields:
        # Another family that is not listed at all may be one that the login may not read any more.
        families = {Family.STANDARD.value, *(record.family for record in records)}
        listed = set(mirrored.filter(family__in=families).values_list("external_id", flat=True))
        gone = [ids[external_id] for external_id in listed if external_id not in rows]
        for start in range(0, len(gone), BATCH):
            mirrored.filter(pk__in=gone[start : start + BATCH]).exclude(status="removed").update(status="removed")
    return ids


def _value(record: Any, name: str) -> Any:
    """A field of the row: texts cut to their columns, the bid in its parts."""
    if name in BIDS:
        bid: Bid | None = record.bid
        parts = ("", None, None) if bid is None else (bid.strategy.value, bid.amount_micros, bid.roas_ppm)
        return parts[BIDS.index(name)]
    value = getattr(record, name)
    return value[: TEXTS[name]] if name in TEXTS else value
