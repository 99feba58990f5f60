"""Admin pages of hours and days by the ad platforms, and of rewards."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import RelatedDropdownFilter

from accounts.admin_fields import money
from metrics.admin.base import FactAdmin, of_account
from metrics.models import AdDay, AdDayPurchases, HourlyMetric, HourlyMetricRevision, Reward, SyncedHour

of_ads_account = ("ad__ad_account", RelatedDropdownFilter)


@admin.register(HourlyMetric)
class HourlyMetricAdmin(FactAdmin):
    list_display = (
        "ad_set",
        "hour",
        money("spend_micros"),
        "impressions",
        "clicks",
        "conversions",
        money("conversion_value_micros", "Reported value"),
        "known_at",
    )
    list_filter = (of_account,)
    list_select_related = ("ad_set", "ad_account", "tenant")
    search_fields = ("ad_set__name", "ad_set__external_id")
    search_help_text = "Search by ad set"
    date_hierarchy = "hour"


@admin.register(HourlyMetricRevision)
class HourlyMetricRevisionAdmin(FactAdmin):
    list_display = ("ad_set", "hour", "known_at", money("spend_micros"), "impressions", "clicks", "conversions")
    list_select_related = ("ad_set__ad_account", "tenant")
    search_fields = ("ad_set__name", "ad_set__external_id")
    search_help_text = "Search by ad set"
    date_hierarchy = "hour"


@admin.register(AdDay)
class AdDayAdmin(FactAdmin):
    list_display = ("ad", "day", money("spend_micros"), "impressions", "clicks", "leads", "known_at")
    list_filter = (of_ads_account,)
    list_select_related = ("ad__ad_account", "tenant")
    search_fields = ("ad__name", "ad__external_id")
    search_help_text = "Search by ad"
    date_hierarchy = "day"


@admin.register(AdDayPurchases)
class AdDayPurchasesAdmin(FactAdmin):
    list_display = ("ad", "day", "window", "count", money("value_micros"), "known_at")
    list_filter = (of_ads_account,)
    list_select_related = ("ad__ad_account", "tenant")
    search_fields = ("ad__name", "ad__external_id", "window")
    search_help_text = "Search by ad or window, such as 7d_click"
    date_hierarchy = "day"


@admin.register(SyncedHour)
class SyncedHourAdmin(FactAdmin):
    list_display = ("ad_account", "hour", "known_at")
    list_filter = (of_account,)
    list_select_related = ("ad_account", "tenant")
    date_hierarchy = "hour"


@admin.register(Reward)
class RewardAdmin(FactAdmin):
    list_display = (
        "ad_set",
        "hour",
        "orders",
        money("revenue_micros"),
        money("spend_micros"),
        money("cogs_micros", "Cost of goods"),
        money("profit_micros"),
        money("reward_micros"),
    )
    list_select_related = ("ad_set__ad_account", "tenant")
    search_fields = ("ad_set__name", "ad_set__external_id")
    search_help_text = "Search by ad set"
    date_hierarchy = "hour"

    def get_fields(self, request: Any, obj: Any = None) -> Any:
        return [name for name in super().get_fields(request, obj) if name != "currency"]
