"""The hard limits of a tenant. Saving goes through the service, which versions and logs."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from accounts.admin_base import ScopedAdmin, ScopedForm, actor_of, tenants_to_configure
from accounts.admin_fields import money, share
from automation.limits import LimitError, parse_peak_hours, save_limits
from automation.models import Limits


class LimitsForm(ScopedForm):
    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        floor, ceiling = cleaned.get("floor_micros"), cleaned.get("ceiling_micros")
        if floor is not None and ceiling is not None and ceiling < floor:
            self.add_error("ceiling_micros", "The ceiling is lower than the floor.")
        if cleaned.get("approvals_required") == 0:
            self.add_error("approvals_required", "At least one person approves.")
        return cleaned

    def clean_peak_hours(self) -> str:
        text: str = self.cleaned_data["peak_hours"]
        try:
            parse_peak_hours(text)
        except LimitError as error:
            raise forms.ValidationError(str(error)) from error
        return text


@admin.register(Limits)
class LimitsAdmin(ScopedAdmin):
    form = LimitsForm
    list_display = (
        "tenant",
        money("hard_daily_cap_micros"),
        money("daily_target_micros"),
        money("floor_micros"),
        money("ceiling_micros"),
        share("step_up_ppm"),
        share("step_down_ppm"),
        "version",
    )
    list_select_related = ("tenant",)
    autocomplete_fields = ("canary_ad_sets",)
    readonly_fields = ("version", "updated_at")
    empty_hint = "Without limits every proposal is blocked: set them."
    fieldsets = (
        ("Money a day", {"fields": ("hard_daily_cap_micros", "daily_target_micros", "floor_micros", "ceiling_micros")}),
        ("Pace of change", {"fields": ("step_up_ppm", "step_down_ppm", "cooldown_hours", "peak_hours")}),
        ("No raises while it goes badly", {"fields": ("freeze_roas_ppm", "freeze_no_sale_hours")}),
        (
            "Approvals",
            {"fields": ("approval_above_micros", "approval_above_ppm", "approvals_required", "approval_hours")},
        ),
        ("Pilot", {"fields": ("canary_ad_sets",)}),
        ("Version", {"fields": ("version", "updated_at")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only while a tenant has none: there is one row for each."""
        missing = tenants_to_configure(actor_of(request)).exclude(pk__in=Limits.objects.values("tenant"))
        return missing.exists()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        save_limits(obj, actor=actor_of(request), canary=form.cleaned_data["canary_ad_sets"])
