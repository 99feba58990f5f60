"""Admin pages of what stores sold: facts are read-only, product costs are people's to keep."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyInline, ScopedAdmin, badge
from accounts.admin_fields import money
from metrics.admin.base import FactAdmin, of_store
from metrics.models import (
    AttributionMethod,
    Order,
    OrderEdit,
    OrderLine,
    Product,
    ProductCost,
    Refund,
    SourceCoverage,
    StoreCoverage,
)

METHOD_COLOURS: dict[str, str] = {
    AttributionMethod.CLICK_ID: "success",
    AttributionMethod.UTM: "info",
    AttributionMethod.NONE: "default",
}
SOURCE_COLOURS: dict[str, str] = {ProductCost.Source.STAFF: "info", ProductCost.Source.PLATFORM: "default"}


class LineInline(ReadOnlyInline):
    model = OrderLine
    fields = readonly_fields = (
        "title",
        "quantity",
        money("unit_price_micros"),
        money("discount_micros"),
        "product_external_id",
    )


class RefundInline(ReadOnlyInline):
    model = Refund
    fields = readonly_fields = ("external_id", "refunded_at", money("amount_micros"))


class EditInline(ReadOnlyInline):
    model = OrderEdit
    fields = readonly_fields = ("external_id", "edited_at", money("amount_micros"))


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
    inlines = (LineInline, RefundInline, EditInline)

    @display(description="Revenue", boolean=True)
    def is_revenue(self, order: Order) -> bool:
        return order.counts


@admin.register(OrderLine)
class OrderLineAdmin(FactAdmin):
    list_display = (
        "title",
        "order",
        "quantity",
        money("unit_price_micros"),
        money("discount_micros"),
        "product_external_id",
    )
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


@admin.register(OrderEdit)
class OrderEditAdmin(FactAdmin):
    list_display = ("external_id", "order", "edited_at", money("amount_micros"))
    list_select_related = ("order", "tenant")
    search_fields = ("external_id", "order__external_id")
    search_help_text = "Search by order id"
    date_hierarchy = "edited_at"


@admin.register(Product)
class ProductAdmin(FactAdmin):
    list_display = ("title", "external_id", "store", "status", "listed_at")
    list_filter = (of_store,)
    list_select_related = ("store", "tenant")
    search_fields = ("title", "external_id")
    search_help_text = "Search by title or product id"
    date_hierarchy = "listed_at"


@admin.register(ProductCost)
class ProductCostAdmin(ScopedAdmin):
    """Staff keep their own rows; what was read from the store is replaced by a row of a later day, not edited."""

    parent = "store"
    list_display = (
        "product_external_id",
        "variant_external_id",
        "store",
        money("unit_cost_micros"),
        "effective_from",
        badge("source", SOURCE_COLOURS),
    )
    list_filter = (of_store, ("source", ChoicesDropdownFilter))
    list_select_related = ("store", "tenant")
    search_fields = ("product_external_id", "variant_external_id")
    search_help_text = "Search by product or variant id"
    date_hierarchy = "effective_from"
    autocomplete_fields = ("store",)
    empty_hint = "Add what a product costs; until then the tenant's cost per unit is used."
    may_delete = True

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_staffs(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_staffs(obj) and super().has_delete_permission(request, obj)

    def _is_staffs(self, obj: Any) -> bool:
        return obj is None or obj.source == ProductCost.Source.STAFF


@admin.register(StoreCoverage)
class StoreCoverageAdmin(FactAdmin):
    list_display = ("store", "known_from", "known_to")
    list_select_related = ("store", "tenant")


@admin.register(SourceCoverage)
class SourceCoverageAdmin(FactAdmin):
    list_display = ("store", "kind", "known_from", "known_to")
    list_filter = (of_store,)
    list_select_related = ("store", "tenant")
