"""Credentials, stores and ad accounts: how a tenant's platforms are reached."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ScopedAdmin, ScopedForm, badge
from accounts.admin_fields import SecretField, money
from accounts.models import AdAccount, Credential, RolloutStage, Store

SECRETS = ("app_secret", "access_token", "refresh_token")
PLATFORM_COLOURS = {"meta": "info", "tiktok": "default", "shopify": "success", "tiktok_shop": "default"}
STAGE_COLOURS: dict[str, str] = {
    RolloutStage.SHADOW: "default",
    RolloutStage.PILOT: "warning",
    RolloutStage.EXPAND: "success",
}
platform = badge("platform", PLATFORM_COLOURS)


class CredentialForm(ScopedForm):
    """The secrets are fields of the form only, so that none is ever read to fill a box."""

    new_app_secret = SecretField(label="App secret")
    new_access_token = SecretField(label="Access token")
    new_refresh_token = SecretField(label="Refresh token")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        for name in SECRETS:
            if cleaned.get(f"new_{name}"):
                setattr(self.instance, name, cleaned[f"new_{name}"])
        return cleaned


@admin.register(Credential)
class CredentialAdmin(ScopedAdmin):
    form = CredentialForm
    list_display = ("label", platform, "app_id", "stored", "expires_at", "problem")
    list_filter = (("platform", ChoicesDropdownFilter),)
    search_fields = ("label", "app_id")
    search_help_text = "Search by label or app id"
    readonly_fields = ("stored", "problem")
    empty_hint = "Add the app and the token that open a platform, then a store or an ad account that uses them."
    may_delete = True
    fieldsets = (
        (None, {"fields": ("platform", "label", "app_id", "expires_at")}),
        ("Secrets", {"fields": ("stored", *(f"new_{name}" for name in SECRETS))}),
        ("State", {"fields": ("problem",)}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Credential]:
        """Never loads a secret; only whether there is one."""
        rows: models.QuerySet[Credential] = super().get_queryset(request)
        there = {f"has_{name}": models.Q(**{f"{name}__isnull": False}) for name in SECRETS}
        return rows.defer(*SECRETS).annotate(**there)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [(t, {**o, "fields": [f for f in o["fields"] if not str(f).startswith("new_")]}) for t, o in fieldsets]

    @display(description="Secrets stored")
    def stored(self, row: Any) -> str:
        names = [name.replace("_", " ") for name in SECRETS if getattr(row, f"has_{name}", False)]
        return ", ".join(names) or "none"


@admin.register(Store)
class StoreAdmin(ScopedAdmin):
    parent = "credential"
    list_display = ("name", platform, "external_id", "currency", "timezone", "is_active")
    list_filter = (("platform", ChoicesDropdownFilter), "is_active")
    search_fields = ("name", "external_id")
    search_help_text = "Search by name or platform id"
    autocomplete_fields = ("credential",)
    empty_hint = "Connect the shop that brings revenue: first its credential, then the store."


@admin.register(AdAccount)
class AdAccountAdmin(ScopedAdmin):
    parent = "credential"
    list_display = ("name", platform, "external_id", "currency", badge("rollout_stage", STAGE_COLOURS), "is_active")
    list_filter = (("platform", ChoicesDropdownFilter), ("rollout_stage", ChoicesDropdownFilter), "is_active")
    search_fields = ("name", "external_id")
    search_help_text = "Search by name or platform id"
    autocomplete_fields = ("credential",)
    readonly_fields = (money("minimum_daily_budget_micros"), "platform_status")
    empty_hint = "Connect an ad account: first its credential, then the account. In shadow it writes nothing."
    fieldsets = (
        (None, {"fields": ("platform", "external_id", "name", "currency", "timezone", "credential")}),
        ("Automation", {"fields": ("rollout_stage", "is_active")}),
        ("As the platform says", {"fields": readonly_fields}),
    )
