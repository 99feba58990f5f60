"""Admin pages of past ranges that are being read, and the form that asks for one."""

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
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin_base import actor_of, badge, tenants_to_configure
from accounts.clock import wall_now
from accounts.hours import HOUR, local_day
from accounts.models import AdAccount, User
from metrics import backfill, tasks
from metrics.admin.base import FactAdmin, of_account, of_store
from metrics.models import Backfill, OrderBackfill

BACKFILL_COLOURS: dict[str, str] = {
    Backfill.State.RUNNING: "info",
    Backfill.State.DONE: "success",
    Backfill.State.STOPPED: "default",
}
ORDER_BACKFILL_COLOURS: dict[str, str] = {
    OrderBackfill.State.ASKED: "default",
    OrderBackfill.State.RUNNING: "info",
    OrderBackfill.State.READING: "info",
    OrderBackfill.State.DONE: "success",
    OrderBackfill.State.STOPPED: "warning",
}


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


@admin.register(OrderBackfill)
class OrderBackfillAdmin(FactAdmin):
    list_display = (
        "store",
        "created_from",
        "created_to",
        badge("state", ORDER_BACKFILL_COLOURS),
        "orders_read",
        "problem",
        "asked_by",
        "updated_at",
    )
    list_filter = (("state", ChoicesDropdownFilter), of_store)
    list_select_related = ("store", "tenant")
    search_fields = ("store__name", "asked_by")
    search_help_text = "Search by store or who asked"
    empty_hint = "A store's past orders are read when it is synced with a longer past: manage.py sync --days."
