"""Campaigns, ad sets, ads and creatives, as the last sync saw them."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline, badge
from accounts.admin_fields import currency_of, money, share_text
from accounts.models import Ad, AdSet, BidStrategy, Campaign, Creative, Family, Status
from accounts.money import money_text

STATUS_COLOURS: dict[str, str] = {Status.ACTIVE: "success", Status.PAUSED: "warning", Status.REMOVED: "default"}
FAMILY_COLOURS: dict[str, str] = {Family.STANDARD: "default", Family.SMART_PLUS: "info", Family.GMV_MAX: "primary"}
FILTERS = (("status", ChoicesDropdownFilter), ("ad_account", RelatedDropdownFilter), ("family", ChoicesDropdownFilter))
EMPTY = "Nothing has been synced yet: connect an ad account and wait for the next hour."
status = badge("status", STATUS_COLOURS)
family = badge("family", FAMILY_COLOURS)
daily_budget = money("daily_budget_micros")
CREATIVE_TEXTS = ("format", "title", "body", "call_to_action", "link")


@display(description="Budget at")
def budget_level(node: Campaign | AdSet) -> str:
    """Which level carries the budget: the campaign's own, or that of each of its ad sets."""
    has_budget = node.daily_budget_micros is not None or node.lifetime_budget_micros is not None
    return "Campaign" if isinstance(node, Campaign) == has_budget else "Ad set"


@display(description="Bid", ordering="bid_strategy")
def bid(node: Campaign | AdSet) -> str:
    """The strategy with its amount, or with the return that is aimed at; a dash where it stands elsewhere."""
    name = BidStrategy(node.bid_strategy).label if node.bid_strategy else ""
    if node.target_roas_ppm is not None:
        return f"{name or 'Target ROAS'} {share_text(node.target_roas_ppm, 'target_roas_ppm')}"
    amount = money_text(node.bid_micros, currency_of(node)) if node.bid_micros is not None else ""
    return f"{name} {amount}".strip() or "–"


def creative_text(name: str) -> Any:
    """A text of an ad's creative, as text: what a platform sends is never markup and never a link."""

    @display(description=name.replace("_", " ").capitalize(), empty_value="–")
    def column(ad: Ad) -> str | None:
        return getattr(ad.creative, name) or None if ad.creative else None

    column.__name__ = f"creative_{name}"
    return column


SHOWN = tuple(map(creative_text, CREATIVE_TEXTS))


class TreeAdmin(ReadOnlyAdmin):
    list_filter: ClassVar[Any] = FILTERS
    search_fields: ClassVar[Any] = ("name", "external_id")
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


class BudgetedAdmin(TreeAdmin):
    readonly_fields = (budget_level, bid)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        told_by_bid = {"bid_strategy", "bid_micros", "target_roas_ppm"}
        return [*(name for name in super().get_fields(request, obj) if name not in told_by_bid), budget_level, bid]


@admin.register(Campaign)
class CampaignAdmin(BudgetedAdmin):
    list_display = ("name", "ad_account", status, daily_budget, budget_level, bid, family, "objective", "seen_at")
    list_select_related = ("ad_account", "tenant")
    inlines = (AdSetInline,)


@admin.register(AdSet)
class AdSetAdmin(BudgetedAdmin):
    list_display = ("name", "campaign", "ad_account", status, daily_budget, budget_level, bid, family, "seen_at")
    list_select_related = ("ad_account", "campaign", "tenant")
    list_filter = (*FILTERS, ("campaign", RelatedDropdownFilter))
    inlines = (AdInline,)


@admin.register(Ad)
class AdAdmin(TreeAdmin):
    list_display = ("name", "ad_set", "ad_account", status, "effective_status", "creative", "seen_at")
    list_select_related = ("ad_account", "ad_set", "creative", "tenant")
    readonly_fields = SHOWN

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        return [*fieldsets, ("What it shows", {"fields": list(SHOWN)})]


@admin.register(Creative)
class CreativeAdmin(TreeAdmin):
    list_display = ("__str__", "ad_account", "format", "title", "call_to_action", "seen_at")
    list_filter = (("ad_account", RelatedDropdownFilter),)
    list_select_related = ("ad_account", "tenant")
    search_fields = ("name", "external_id", "title", "body")
    search_help_text = "Search by name, platform id or text"
