"""Alerts: what a person should know."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, badge
from accounts.models import Alert
from accounts.models.alerts import Severity

SEVERITY_COLOURS: dict[str, str] = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "danger"}


class OpenFilter(admin.SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("resolved", "Resolved")]

    def queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> models.QuerySet[Any]:
        if self.value() not in ("open", "resolved"):
            return queryset
        return queryset.filter(resolved_at__isnull=self.value() == "open")


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    list_display = ("message", badge("severity", SEVERITY_COLOURS), "state", "count", "last_seen_at")
    list_filter = (OpenFilter, ("severity", ChoicesDropdownFilter))
    search_fields = ("message", "key")
    search_help_text = "Search in the message"
    date_hierarchy = "last_seen_at"
    empty_hint = "No alerts: everything that was watched is well."

    @display(description="State", label={"open": "warning", "resolved": "success"})
    def state(self, alert: Alert) -> Any:
        return ("resolved", "Resolved") if alert.resolved_at else ("open", "Open")
