"""Campaigns, ad sets and ads, as the last sync saw them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline, badge
from accounts.admin_fields import money
from accounts.models import Ad, AdSet, Campaign, Status

STATUS_COLOURS: dict[str, str] = {Status.ACTIVE: "success", Status.PAUSED: "warning", Status.REMOVED: "default"}
FILTERS = (("status", ChoicesDropdownFilter), ("ad_account", RelatedDropdownFilter))
EMPTY = "Nothing has been synced yet: connect an ad account and wait for the next hour."
status = badge("status", STATUS_COLOURS)
daily_budget = money("daily_budget_micros")


class TreeAdmin(ReadOnlyAdmin):
    list_filter: ClassVar[Any] = FILTERS
    search_fields = ("name", "external_id")
    search_help_text = "Search by name or platform id"
    empty_hint = EMPTY


class AdSetInline(ReadOnlyInline):
    model = AdSet
    fields = readonly_fields = (status, daily_budget, "seen_at")
    tab = True


class AdInline(ReadOnlyInline):
    model = Ad
    fields = readonly_fields = (status, "effective_status", "seen_at")
    tab = True


@admin.register(Campaign)
class CampaignAdmin(TreeAdmin):
    list_display = ("name", "ad_account", status, daily_budget, "objective", "seen_at")
    list_select_related = ("ad_account", "tenant")
    inlines = (AdSetInline,)


@admin.register(AdSet)
class AdSetAdmin(TreeAdmin):
    list_display = ("name", "campaign", "ad_account", status, daily_budget, "external_id", "seen_at")
    list_select_related = ("ad_account", "campaign", "tenant")
    list_filter = (*FILTERS, ("campaign", RelatedDropdownFilter))
    inlines = (AdInline,)


@admin.register(Ad)
class AdAdmin(TreeAdmin):
    list_display = ("name", "ad_set", "ad_account", status, "effective_status", "seen_at")
    list_select_related = ("ad_account", "ad_set", "tenant")
