"""Admin pages of what platforms push and ask for, and of how tokens were used."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, actor_of, badge
from accounts.permissions import CONFIGURE, may
from connectors.models import Delivery, PrivacyRequest, TokenUse

DELIVERY_COLOURS: dict[str, str] = {
    Delivery.State.WAITING: "info",
    Delivery.State.DONE: "success",
    Delivery.State.FAILED: "danger",
}
KIND_COLOURS: dict[str, str] = {
    PrivacyRequest.Kind.EXPORT: "info",
    PrivacyRequest.Kind.REDACT_CUSTOMER: "warning",
    PrivacyRequest.Kind.REDACT_SHOP: "danger",
}
# What the numbers of TikTok Shop's types say.
TOPIC_NAMES = {
    "1": "Order status",
    "5": "Product",
    "6": "Access withdrawn",
    "7": "Access ends soon",
    "11": "Cancellation",
    "12": "Return",
    "15": "Product",
    "16": "Product",
    "18": "Product",
    "37": "Product",
}
of_store = ("store", RelatedDropdownFilter)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = (
        "named_topic",
        "resource",
        "store",
        badge("state", DELIVERY_COLOURS),
        "attempts",
        "problem",
        "triggered_at",
        "created_at",
    )
    list_filter = (("state", ChoicesDropdownFilter), of_store)
    list_select_related = ("store", "tenant")
    show_full_result_count = False
    search_fields = ("resource", "webhook_id", "topic")
    search_help_text = "Search by order id, delivery id or topic"
    date_hierarchy = "created_at"
    empty_hint = (
        "What a connected store pushes arrives here. It needs PUBLIC_URL, under which the platform reaches Bursar."
    )

    @display(description="Topic", ordering="topic")
    def named_topic(self, row: Delivery) -> str:
        return f"{TOPIC_NAMES[row.topic]} ({row.topic})" if row.topic in TOPIC_NAMES else row.topic


@admin.register(PrivacyRequest)
class PrivacyRequestAdmin(ReadOnlyAdmin):
    list_display = (badge("kind", KIND_COLOURS), "shop", "created_at", "due_at", "done_at", "outcome")
    list_filter = (("kind", ChoicesDropdownFilter),)
    list_select_related = ("tenant",)
    search_fields = ("shop", "reference", "customer")
    search_help_text = "Search by shop, request or customer id"
    readonly_fields = ("download",)
    fields = ("kind", "shop", "reference", "customer", "orders", "due_at", "done_at", "outcome", "download")
    empty_hint = "Requests of customers and shops, as platforms hand them on, appear here with what was done."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """The download stands where it may be pressed."""
        names = super().get_fields(request, obj)
        is_open = obj is not None and may(actor_of(request), CONFIGURE, obj.tenant)
        return names if is_open else [name for name in names if name != "download"]

    @display(description="Export")
    def download(self, row: PrivacyRequest) -> SafeString | str:
        if row.export is None:
            return "–"
        url = reverse("admin:connectors_privacyrequest_export", args=[row.pk])
        return format_html('<a class="b-link" href="{}">Download what is held (JSON)</a>', url)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export)
        return [path("<uuid:pk>/export/", view, name="connectors_privacyrequest_export"), *super().get_urls()]

    def export(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """The export as a file, for who may configure the tenant: it is about a person."""
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None or row.export is None:
            raise Http404
        if not may(actor_of(request), CONFIGURE, row.tenant):
            raise PermissionDenied
        body = json.dumps(row.export, indent=2, ensure_ascii=False)
        name = f"data-request-{row.created_at:%Y-%m-%d}-{row.pk}.json"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(body, content_type="application/json", headers=headers)


@admin.register(TokenUse)
class TokenUseAdmin(ReadOnlyAdmin):
    list_display = ("at", "credential", "operation", "outcome")
    list_filter = (("credential", RelatedDropdownFilter),)
    list_select_related = ("credential", "tenant")
    show_full_result_count = False
    search_fields = ("operation", "outcome")
    search_help_text = "Search by path or outcome"
    date_hierarchy = "at"
    empty_hint = "Each use of a TikTok Shop token is noted here before the request leaves."

    def get_queryset(self, request: HttpRequest) -> Any:
        secrets = ("app_secret", "access_token", "refresh_token")
        return super().get_queryset(request).defer(*(f"credential__{name}" for name in secrets))
