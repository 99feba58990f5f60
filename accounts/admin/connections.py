"""Credentials, stores and ad accounts: how a tenant's platforms are reached."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ScopedAdmin, ScopedForm, badge
from accounts.admin_fields import SecretField, money
from accounts.hours import HOUR
from accounts.login_states import LoginState, login_state
from accounts.models import AdAccount, Credential, RolloutStage, Store
from accounts.money import money_text

SECRETS = ("app_secret", "access_token", "refresh_token")
LOGIN_COLOURS: dict[str, str] = {
    LoginState.CONNECTED: "success",
    LoginState.ENDING: "warning",
    LoginState.NEEDED: "danger",
    LoginState.DISCONNECTED: "default",
}
STORE_PLATFORMS = ("shopify", "tiktok_shop")
PLATFORM_COLOURS = {"meta": "info", "tiktok": "default", "shopify": "success", "tiktok_shop": "default"}
STAGE_COLOURS: dict[str, str] = {
    RolloutStage.SHADOW: "default",
    RolloutStage.PILOT: "warning",
    RolloutStage.EXPAND: "success",
}
platform = badge("platform", PLATFORM_COLOURS)


def state_of(credential: Credential, *, has_token: bool) -> LoginState:
    return login_state(
        has_token=has_token,
        expires_at=credential.expires_at,
        refresh_expires_at=credential.refresh_expires_at,
        problem=credential.problem,
        now=timezone.now(),
    )


@dataclass(frozen=True, slots=True)
class LoginPanel:
    """How a connection stands and what can be done about it, on top of its page; an empty link leads nowhere."""

    state: LoginState
    told: str
    may_change: bool
    again: str
    disconnect: str
    choose: str = ""
    past_days: str = ""
    is_unused: bool = False

    @property
    def colour(self) -> str:
        return LOGIN_COLOURS[self.state]


def told_of(credential: Credential, state: LoginState) -> str:
    """The state in a sentence, with the platform's own words where it refused."""
    if state is LoginState.DISCONNECTED:
        return "No token is stored: connect it again, or leave it as history."
    if credential.problem:
        return credential.problem
    ends = credential.refresh_expires_at or credential.expires_at
    if ends is None:
        return "The login lasts until somebody ends it."
    verb = "expired" if state is LoginState.NEEDED else "lasts until"
    # Shopify gives a new refresh token with each renewal; at TikTok Shop the authorisation itself ends then.
    is_renewable = credential.refresh_expires_at is None or credential.platform == "shopify"
    is_renewed = state is LoginState.CONNECTED and is_renewable
    return f"The login {verb} {ends:%Y-%m-%d %H:%M} UTC{', and is renewed before' if is_renewed else ''}."


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
    list_display = ("label", platform, "login", "app_id", "stored", "expires_at", "problem")
    list_before_template: Any = "bursar/connect/buttons.html"
    change_form_outer_before_template: Any = "bursar/connect/state.html"
    list_filter = (("platform", ChoicesDropdownFilter),)
    search_fields = ("label", "app_id")
    search_help_text = "Search by label or app id"
    readonly_fields = ("stored", "subject", "scopes", "refresh_expires_at", "problem")
    empty_hint = "Press one of the Connect buttons, or add by hand what opens a platform."
    may_delete = True
    fieldsets = (
        (None, {"fields": ("platform", "label", "app_id", "expires_at")}),
        ("Secrets", {"fields": ("stored", *(f"new_{name}" for name in SECRETS))}),
        ("State", {"fields": ("subject", "scopes", "refresh_expires_at", "problem")}),
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

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A login is ended on its platform before it is forgotten here: disconnect or remove it first."""
        is_living = obj is not None and getattr(obj, "has_access_token", True)
        return not is_living and super().has_delete_permission(request, obj)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        if row is not None:
            context["login"] = self._panel(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, row: Any) -> LoginPanel:
        state = state_of(row, has_token=row.has_access_token)
        is_unused = not row.ad_accounts.exists() and not row.stores.exists()
        told = told_of(row, state)
        if is_unused and state is not LoginState.DISCONNECTED:
            told += f" No {'store' if row.platform in STORE_PLATFORMS else 'ad account'} uses it yet: choose."
        return LoginPanel(
            state=state,
            told=told,
            may_change=self.has_change_permission(request, row),
            again=reverse("connect:again", args=[row.pk]),
            disconnect=reverse("connect:disconnect_credential", args=[row.pk]),
            choose=reverse("connect:choose", args=[row.pk]),
            is_unused=is_unused,
        )

    @display(description="Login", label=LOGIN_COLOURS)
    def login(self, row: Any) -> Any:
        state = state_of(row, has_token=row.has_access_token)
        return state.value, state.label

    @display(description="Secrets stored")
    def stored(self, row: Any) -> str:
        names = [name.replace("_", " ") for name in SECRETS if getattr(row, f"has_{name}", False)]
        return ", ".join(names) or "none"


def with_login(rows: Any) -> Any:
    """With the credential's state, never with a secret."""
    found = rows.select_related("credential", "tenant").defer(*(f"credential__{name}" for name in SECRETS))
    return found.annotate(has_access_token=models.Q(credential__access_token__isnull=False))


@display(description="Login", label=LOGIN_COLOURS)
def login_of(row: Any) -> Any:
    state = state_of(row.credential, has_token=row.has_access_token)
    if not row.is_active and state is not LoginState.DISCONNECTED:
        return LoginState.DISCONNECTED.value, "Switched off"
    return state.value, state.label


@display(description="Read to (UTC)", ordering="known_to")
def known_to(row: Any) -> datetime | None:
    found: datetime | None = row.known_to
    return found


class StoreForm(ScopedForm):
    def clean(self) -> dict[str, Any]:
        """A shop of Shopify is named as webhooks and logins name it: one shop must not become two stores."""
        cleaned = super().clean()
        if cleaned.get("platform") == "shopify" and cleaned.get("external_id"):
            cleaned["external_id"] = cleaned["external_id"].lower()
        return cleaned


@admin.register(Store)
class StoreAdmin(ScopedAdmin):
    form = StoreForm
    parent = "credential"
    list_display = ("name", platform, "kind", login_of, "external_id", "currency", "timezone", known_to, "problem")
    list_before_template: Any = "bursar/connect/buttons.html"
    change_form_outer_before_template: Any = "bursar/connect/state.html"
    list_filter = (("platform", ChoicesDropdownFilter), "is_active")
    search_fields = ("name", "external_id")
    search_help_text = "Search by name or platform id"
    autocomplete_fields = ("credential",)
    readonly_fields = ("kind", "region", "seller_type", "subscribed_at", known_to, "notice", "problem")
    empty_hint = "Press Connect Shopify or Connect TikTok Shop: revenue is read from there, nothing is changed."
    fieldsets = (
        (None, {"fields": ("platform", "external_id", "name", "currency", "timezone", "credential", "is_active")}),
        ("As the platform says", {"fields": readonly_fields}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Store]:
        """With its login, and until when its orders are known."""
        coverage: Any = Store._meta.get_field("coverage").related_model
        newest = coverage.objects.filter(store=models.OuterRef("pk")).values("known_to")[:1]
        rows: models.QuerySet[Store] = with_login(super().get_queryset(request))
        return rows.annotate(known_to=models.Subquery(newest))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        if row is not None:
            context["login"] = self._panel(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, row: Any) -> LoginPanel:
        state = state_of(row.credential, has_token=row.has_access_token)
        works = state in (LoginState.CONNECTED, LoginState.ENDING)
        read = f"Orders are read to {row.known_to:%Y-%m-%d %H:%M} UTC." if row.known_to else "No order has been read."
        off = "" if row.is_active else "The store is switched off."
        told = (told_of(row.credential, state), off, row.problem, row.notice, read)
        choose = reverse("connect:choose", args=[row.credential_id]) if works and not row.is_active else ""
        return LoginPanel(
            state=state,
            told=" ".join(filter(None, told)),
            may_change=self.has_change_permission(request, row),
            again="" if choose else reverse("connect:again", args=[row.credential_id]),
            disconnect=reverse("connect:disconnect_store", args=[row.pk]) if row.is_active else "",
            choose=choose,
        )


@display(description="Spent of cap", ordering="spent_micros")
def spent_of_cap(account: AdAccount) -> str:
    """What the account has spent in its life, and the platform's own cap on that."""
    spent = money_text(account.spent_micros, account.currency)
    return f"{spent} of {money_text(account.spend_cap_micros, account.currency)}" if account.spend_cap_micros else spent


@admin.register(AdAccount)
class AdAccountAdmin(ScopedAdmin):
    parent = "credential"
    list_display = (
        "name",
        platform,
        login_of,
        "status",
        "stage",
        "autopilot",
        spent_of_cap,
        "figures",
        "last_sync",
    )
    list_before_template: Any = "bursar/connect/buttons.html"
    change_form_outer_before_template: Any = "bursar/connect/state.html"
    list_filter = (
        ("platform", ChoicesDropdownFilter),
        ("rollout_stage", ChoicesDropdownFilter),
        "autopilot",
        "is_active",
    )
    search_fields = ("name", "external_id")
    search_help_text = "Search by name or platform id"
    autocomplete_fields = ("credential",)
    readonly_fields = (
        "platform_status",
        money("minimum_daily_budget_micros"),
        money("spend_cap_micros"),
        money("spent_micros"),
        "reports_hours",
        "last_sync",
    )
    empty_hint = "Press Connect Meta or Connect TikTok and choose ad accounts. In shadow nothing is changed there."
    fieldsets = (
        (None, {"fields": ("platform", "external_id", "name", "currency", "timezone", "credential")}),
        ("Automation", {"fields": ("rollout_stage", "autopilot", "is_active")}),
        ("As the platform says", {"fields": readonly_fields}),
    )

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[AdAccount]:
        """With its credential's state, never with a secret, and the newest hour that was read."""
        rows: models.QuerySet[AdAccount] = with_login(super().get_queryset(request))
        synced: Any = AdAccount._meta.get_field("synced_hours").related_model
        hours = synced.objects.filter(ad_account=models.OuterRef("pk"))
        return rows.annotate(newest_hour=models.Subquery(hours.order_by("-hour").values("hour")[:1]))

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = context.get("original")
        if row is not None:
            context["login"] = self._panel(request, row)
        return super().render_change_form(request, context, *args, **kwargs)

    def _panel(self, request: HttpRequest, row: Any) -> LoginPanel:
        state = state_of(row.credential, has_token=row.has_access_token)
        works = state in (LoginState.CONNECTED, LoginState.ENDING)
        choose = reverse("connect:choose", args=[row.credential_id]) if works and not row.is_active else ""
        return LoginPanel(
            state=state,
            told=told_of(row.credential, state) + ("" if row.is_active else " The ad account is switched off."),
            may_change=self.has_change_permission(request, row),
            again="" if choose else reverse("connect:again", args=[row.credential_id]),
            disconnect=reverse("connect:disconnect_account", args=[row.pk]),
            choose=choose,
            past_days=f"{reverse('admin:metrics_backfill_add')}?ad_account={row.pk}" if works and row.is_active else "",
        )

    @display(description="Status", ordering="platform_status")
    def status(self, row: AdAccount) -> str:
        return row.platform_status or "–"

    @display(description="Stage", ordering="rollout_stage", label=STAGE_COLOURS)
    def stage(self, row: AdAccount) -> Any:
        return row.rollout_stage, RolloutStage(row.rollout_stage).label.partition(":")[0]

    @display(description="Figures", ordering="reports_hours", label={"days": "warning", "hours": "default"})
    def figures(self, row: AdAccount) -> Any:
        return ("hours", "Hourly") if row.reports_hours else ("days", "Daily figures only")

    @display(description="Read to (UTC)", ordering="newest_hour")
    def last_sync(self, row: Any) -> datetime | None:
        hour: datetime | None = row.newest_hour
        return hour + HOUR if hour else None
