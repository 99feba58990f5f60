"""Mirroring the ad tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import models, transaction

from accounts.models import Ad, AdAccount, AdSet, Campaign
from connectors.contracts import AdPlatform, AdSetRecord, DeliveryStatus

TEXTS = {"name": 400, "effective_status": 64, "objective": 64}


def sync_tree(account: AdAccount, client: AdPlatform, *, as_of: datetime) -> None:
    """Mirror account, campaigns, ad sets and ads. What the platform no longer lists is marked removed."""
    before = _steered(AdSet.objects.filter(ad_account=account))
    record = client.account()
    AdAccount.objects.filter(pk=account.pk).update(
        name=record.name[:200],
        currency=record.currency,
        timezone=record.timezone,
        platform_status=record.status[:64],
        minimum_daily_budget_micros=record.minimum_daily_budget_micros,
    )
    account.refresh_from_db()
    campaigns, ad_sets, ads = list(client.campaigns()), list(client.ad_sets()), list(client.ads())
    shared = ("name", "status", "effective_status")
    budgets = ("daily_budget_micros", "lifetime_budget_micros")
    with transaction.atomic():
        campaign_ids = _mirror(Campaign, account, campaigns, (*shared, *budgets, "objective"), as_of)
        held = _steered(AdSet.objects.select_for_update(no_key=True).filter(ad_account=account))
        ad_sets = [_newest(record, before, held) for record in ad_sets]
        ad_set_ids = _mirror(
            AdSet,
            account,
            ad_sets,
            (*shared, *budgets, "in_learning"),
            as_of,
            parent=("campaign", "campaign_external_id", campaign_ids),
        )
        _mirror(Ad, account, ads, shared, as_of, parent=("ad_set", "ad_set_external_id", ad_set_ids))


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


def _mirror(
    model: type[models.Model],
    account: AdAccount,
    records: Sequence[Any],
    fields: Sequence[str],
    as_of: datetime,
    parent: tuple[str, str, dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Upsert the records of one level; returns external id to primary key."""
    rows = {}
    for record in records:
        values = {name: getattr(record, name) for name in fields}
        values |= {name: values[name][:limit] for name, limit in TEXTS.items() if name in values}
        if parent:
            name, key, ids = parent
            if getattr(record, key) not in ids:
                continue
            values[f"{name}_id"] = ids[getattr(record, key)]
        rows[record.external_id] = model(
            tenant_id=account.tenant_id,
            ad_account=account,
            external_id=record.external_id,
            seen_at=as_of,
            **values,
        )
    updated = [*fields, "seen_at", *([parent[0]] if parent else [])]
    model._default_manager.bulk_create(
        list(rows.values()),
        update_conflicts=True,
        unique_fields=["ad_account", "external_id"],
        update_fields=updated,
    )
    mirrored = model._default_manager.filter(ad_account=account)
    ids = dict(mirrored.values_list("external_id", "pk"))
    gone = [pk for external_id, pk in ids.items() if external_id not in rows]
    mirrored.filter(pk__in=gone).exclude(status="removed").update(status="removed")
    return ids
