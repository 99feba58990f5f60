"""Admin pages of what happened: facts are read-only, product costs are people's to keep."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Max
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin_base import ReadOnlyAdmin, ReadOnlyInline, ScopedAdmin, actor_of, badge, tenants_to_configure
from accounts.admin_fields import money
from accounts.clock import wall_now
from accounts.hours import HOUR, local_day
from accounts.models import AdAccount, User
from metrics import backfill, tasks
from metrics.models import (
    AdDay,
    AdDayPurchases,
    AttributionMethod,
    Backfill,
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

BACKFILL_COLOURS: dict[str, str] = {
    Backfill.State.RUNNING: "info",
    Backfill.State.DONE: "success",
    Backfill.State.STOPPED: "default",
}
NOTHING_SYNCED = "Nothing has been synced yet: connect a store and an ad account, and wait for the next hour."
METHOD_COLOURS: dict[str, str] = {
    AttributionMethod.CLICK_ID: "success",
    AttributionMethod.UTM: "info",
    AttributionMethod.NONE: "default",
}
of_account = ("ad_account", RelatedDropdownFilter)
of_ads_account = ("ad__ad_account", RelatedDropdownFilter)
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


def _now_of(account: AdAccount) -> datetime:
    """The newest moment that anybody knows of: a sandbox's clock may be ahead of the wall's."""
    newest = account.synced_hours.aggregate(hour=Max("hour"))["hour"]
    return max(wall_now(), newest + HOUR) if newest else wall_now()


class DayInput(UnfoldAdminTextInputWidget):
    input_type = "date"


class PastDaysForm(forms.Form):
    """A range of one ad account's own days, both inclusive."""

    ad_account = forms.ModelChoiceField(
        AdAccount._base_manager.none(), widget=UnfoldAdminSelectWidget(), empty_label=None
    )
    first_day = forms.DateField(widget=DayInput(), help_text="In the ad account's own calendar.")
    last_day = forms.DateField(widget=DayInput(), help_text="Inclusive.")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        accounts = AdAccount.objects.filter(tenant__in=tenants_to_configure(user), is_active=True)
        self.fields["ad_account"].queryset = accounts.order_by("platform", "name")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        account, first, last = (cleaned.get(name) for name in ("ad_account", "first_day", "last_day"))
        if account and first and last:
            today = local_day(_now_of(account), account.timezone)
            if first > last:
                raise forms.ValidationError("The first day is after the last one.")
            if last > today:
                raise forms.ValidationError(f"The last day has not begun yet: {account.name} is at {today}.")
        return cleaned


@admin.register(Backfill)
class BackfillAdmin(FactAdmin):
    list_display = (
        "ad_account",
        "span",
        "progress",
        badge("state", BACKFILL_COLOURS),
        "problem",
        "rows",
        "asked_by",
        "updated_at",
    )
    list_filter = (("state", ChoicesDropdownFilter), of_account)
    list_select_related = ("ad_account", "tenant")
    search_fields = ("ad_account__name", "asked_by")
    search_help_text = "Search by ad account or who asked"
    readonly_fields = ("progress",)
    fields = (
        "ad_account",
        "first_day",
        "last_day",
        "progress",
        "state",
        "problem",
        "rows",
        "asked_by",
        "created_at",
        "updated_at",
    )
    empty_hint = "Press Read past days to read what happened before an ad account was connected."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(self._permission("add")))

    @display(description="Days", ordering="first_day")
    def span(self, row: Backfill) -> SafeString:
        return format_html('<span class="b-nowrap">{} to {}</span>', row.first_day, row.last_day)

    @display(description="Progress")
    def progress(self, row: Backfill) -> SafeString:
        done = min(max(row.days_done, 0), row.days)
        bar = '<span class="b-progress"><progress max="{}" value="{}"></progress> {} of {} days</span>'
        return format_html(bar, row.days, done, done, row.days)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        initial = {"ad_account": request.GET.get("ad_account", "")[:36]}
        form = PastDaysForm(actor_of(request), request.POST or None, initial=initial)
        if form.is_valid() and (asked := self._ask(request, form)):
            messages.success(request, f"Reading {asked.days} days of {asked.ad_account}. Reload to see how far it is.")
            return HttpResponseRedirect(reverse("admin:metrics_backfill_changelist"))
        context = {**self.admin_site.each_context(request), "title": "Read past days", "form": form, "opts": self.opts}
        return TemplateResponse(request, "bursar/connect/past_days.html", context)

    def _ask(self, request: HttpRequest, form: PastDaysForm) -> Backfill | None:
        data, actor = form.cleaned_data, actor_of(request)
        try:
            asked = backfill.request(data["ad_account"], data["first_day"], data["last_day"], actor=str(actor))
        except ValueError as error:
            form.add_error(None, str(error)[:1].upper() + str(error)[1:] + ".")
            return None
        self.log_addition(request, asked, f"Asked for {data['first_day']} to {data['last_day']}.")
        tasks.wake(asked)
        return asked
