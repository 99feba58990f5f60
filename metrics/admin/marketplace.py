"""Admin pages of what TikTok Shop tells beyond orders."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from accounts.admin_fields import money
from metrics.admin.base import FactAdmin, of_store
from metrics.models import AffiliateSale, Payment, ShopDay, ShopHealth, ShopHour, ShopReturn, Statement

NOTHING_TOLD = "Connect a TikTok Shop, and wait for the next hour."


class OfStoreAdmin(FactAdmin):
    list_filter = (of_store,)
    list_select_related = ("store", "tenant")
    empty_hint = NOTHING_TOLD


@admin.register(Statement)
class StatementAdmin(OfStoreAdmin):
    list_display = (
        "external_id",
        "statement_at",
        "store",
        money("settlement_micros"),
        money("net_sales_micros"),
        money("revenue_micros"),
        money("fee_micros"),
        "status",
    )
    search_fields = ("external_id", "payment_external_id")
    search_help_text = "Search by statement or payment id"
    date_hierarchy = "statement_at"


@admin.register(Payment)
class PaymentAdmin(OfStoreAdmin):
    list_display = ("external_id", "initiated_at", "paid_at", "store", money("amount_micros"), "status")
    search_fields = ("external_id",)
    search_help_text = "Search by payment id"
    date_hierarchy = "initiated_at"


@admin.register(AffiliateSale)
class AffiliateSaleAdmin(OfStoreAdmin):
    list_display = (
        "external_id",
        "sold_at",
        "store",
        "creator",
        "content_type",
        money("sales_micros"),
        money("commission_micros", "Commission paid"),
        money("estimated_micros", "Commission expected"),
        "status",
    )
    search_fields = ("external_id", "creator", "shop_name")
    search_help_text = "Search by order id, creator or shop"
    date_hierarchy = "sold_at"


@admin.register(ShopReturn)
class ShopReturnAdmin(OfStoreAdmin):
    list_display = (
        "external_id",
        "order_external_id",
        "requested_at",
        "store",
        money("amount_micros"),
        "units",
        "is_refunded",
        "status",
    )
    search_fields = ("external_id", "order_external_id")
    search_help_text = "Search by return or order id"
    date_hierarchy = "requested_at"


@admin.register(ShopHour)
class ShopHourAdmin(OfStoreAdmin):
    list_display = ("store", "hour", money("gmv_micros", "GMV"), "orders", "visitors", "customers", "known_at")
    date_hierarchy = "hour"


@admin.register(ShopDay)
class ShopDayAdmin(OfStoreAdmin):
    list_display = ("store", "day", money("gmv_micros", "GMV"), "orders", "units", "visitors", "known_at")
    date_hierarchy = "day"


@admin.register(ShopHealth)
class ShopHealthAdmin(OfStoreAdmin):
    list_display = ("store", "evaluated_at", "score", "tier", "known_at")
    date_hierarchy = "evaluated_at"

    @display(description="Score of 5", ordering="score_ppm")
    def score(self, row: ShopHealth) -> str:
        return "–" if row.score_ppm is None else f"{row.score_ppm / 1_000_000:.1f}"
