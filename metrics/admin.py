"""Admin pages of what happened: facts are read-only, product costs are people's to keep."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline, ScopedAdmin, badge
from accounts.admin_fields import money
from metrics.models import (
    AttributionMethod,
    HourlyMetric,
    HourlyMetricRevision,
    Order,
    OrderLine,
    ProductCost,
    Refund,
    Reward,
    StoreCoverage,
    SyncedHour,
)

NOTHING_SYNCED = "Nothing has been synced yet: connect a store and an ad account, and wait for the next hour."
METHOD_COLOURS: dict[str, str] = {
    AttributionMethod.CLICK_ID: "success",
    AttributionMethod.UTM: "info",
    AttributionMethod.NONE: "default",
}
of_account = ("ad_account", RelatedDropdownFilter)
of_store = ("store", RelatedDropdownFilter)


class FactAdmin(ReadOnlyAdmin):
    show_full_result_count = False
    empty_hint = NOTHING_SYNCED


class LineInline(ReadOnlyInline):
    model = OrderLine
    fields = readonly_fields = ("title", "quantity", money("unit_price_micros"), "product_external_id")


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = ("external_id", "refunded_at", money("amount_micros"))


@admin.register(Order)
class OrderAdmin(FactAdmin):
    list_display = (
        "external_id",
        "ordered_at",
        "store",
        money("total_micros"),
        "units",
        "is_revenue",
        badge("attribution", METHOD_COLOURS),
        "ad_set",
    )
    list_filter = (of_store, ("attribution", ChoicesDropdownFilter), ("is_paid", BooleanRadioFilter))
    list_select_related = ("store", "ad_set", "tenant")
    search_fields = ("external_id", "utm_campaign", "ad_set__name")
    search_help_text = "Search by order id, campaign or ad set"
    date_hierarchy = "ordered_at"
    inlines = (LineInline, RefundInline)

    @display(description="Revenue", boolean=True)
    def is_revenue(self, order: Order) -> bool:
        return order.counts


@admin.register(OrderLine)
class OrderLineAdmin(FactAdmin):
    list_display = ("title", "order", "quantity", money("unit_price_micros"), "product_external_id")
    list_select_related = ("order", "tenant")
    search_fields = ("title", "order__external_id", "product_external_id")
    search_help_text = "Search by title, order or product id"


@admin.register(Refund)
class RefundAdmin(FactAdmin):
    list_display = ("external_id", "order", "refunded_at", money("amount_micros"))
    list_select_related = ("order", "tenant")
    search_fields = ("external_id", "order__external_id")
    search_help_text = "Search by refund or order id"
    date_hierarchy = "refunded_at"


@admin.register(ProductCost)
class ProductCostAdmin(ScopedAdmin):
    parent = "store"
    list_display = ("product_external_id", "store", money("unit_cost_micros"), "effective_from")
    list_filter = (of_store,)
    list_select_related = ("store", "tenant")
    search_fields = ("product_external_id",)
    search_help_text = "Search by product id"
    date_hierarchy = "effective_from"
    autocomplete_fields = ("store",)
    empty_hint = "Add what a product costs; until then the tenant's cost per unit is used."
    may_delete = True


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


@admin.register(SyncedHour)
class SyncedHourAdmin(FactAdmin):
    list_display = ("ad_account", "hour", "known_at")
    list_filter = (of_account,)
    list_select_related = ("ad_account", "tenant")
    date_hierarchy = "hour"


@admin.register(StoreCoverage)
class StoreCoverageAdmin(FactAdmin):
    list_display = ("store", "known_from", "known_to")
    list_select_related = ("store", "tenant")


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
