"""Partner keys: made with a form that shows the key once, revoked by a dialog, never edited."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_variables
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.admin_base import ReadOnlyAdmin, actor_of, dialog_done, tenants_to_configure
from accounts.api_keys import create_key, revoke_key
from accounts.models import ApiKey, IdempotentRequest, Tenant, User
from accounts.models.api_keys import ApiScope

KEY_COLOURS = {"live": "success", "expired": "default", "revoked": "danger"}


class NewKeyForm(forms.Form):
    name = forms.CharField(max_length=120, widget=UnfoldAdminTextInputWidget(), help_text="Who uses it, for people.")
    tenant = forms.ModelChoiceField(Tenant._base_manager.none(), widget=UnfoldAdminSelectWidget())
    scopes = forms.MultipleChoiceField(
        choices=ApiScope.choices, initial=[ApiScope.READ], widget=UnfoldAdminCheckboxSelectMultipleWidget()
    )
    days = forms.IntegerField(
        label="Expires after days", min_value=1, max_value=730, initial=90, widget=UnfoldAdminIntegerFieldWidget()
    )

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = tenants_to_configure(user)
        self.fields["tenant"].queryset = tenants  # type: ignore[attr-defined]
        self.fields["tenant"].initial = tenants.first()


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    list_display = ("name", "prefix", "state", "scope_names", "expires_at", "last_used_at", "created_by")
    list_select_related = ("created_by", "tenant")
    search_fields = ("name", "prefix")
    search_help_text = "Search by name or prefix"
    fields = ("name", "prefix", "state", "scope_names", "expires_at", "revoked_at", "last_used_at", "created_by")
    actions_detail = ("revoke",)  # type: ignore[assignment]
    empty_hint = "Make a key for a partner's software. It is shown once."

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(self._permission("add")))

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        key = self.get_object(request, str(object_id)) if object_id else None
        return bool(request.user.has_perm(self._permission("change"), key)) and (key is None or not key.revoked_at)

    @display(description="State", label=KEY_COLOURS)
    def state(self, key: ApiKey) -> Any:
        if key.revoked_at:
            return "revoked", "Revoked"
        return ("expired", "Expired") if key.expires_at <= timezone.now() else ("live", "Live")

    @display(description="Scopes")
    def scope_names(self, key: ApiKey) -> str:
        return ", ".join(key.scopes)

    @method_decorator([never_cache, sensitive_variables("secret")])
    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = NewKeyForm(actor_of(request), request.POST or None)
        context = {**self.admin_site.each_context(request), "title": "New API key", "form": form, "opts": self.opts}
        if form.is_valid():
            data = form.cleaned_data
            expires_at = timezone.now() + timedelta(days=data["days"])
            try:
                key, secret = create_key(
                    tenant=data["tenant"],
                    name=data["name"],
                    scopes=data["scopes"],
                    expires_at=expires_at,
                    actor=actor_of(request),
                )
            except ValidationError as error:
                form.add_error(None, error)
            else:
                self.log_addition(request, key, "Made the key.")
                return TemplateResponse(request, "bursar/key_made.html", {**context, "key": key, "secret": secret})
        return TemplateResponse(request, "bursar/key_new.html", context)

    @action(  # type: ignore[operator]
        description="Revoke",
        icon="block",
        permissions=["revoke"],
        dialog={
            "title": "Revoke this key?",
            "description": "Whoever uses it is locked out at once. A revoked key cannot be revived.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: BaseDialogForm, object_id: str) -> HttpResponse:
        key = self.get_object(request, object_id)
        if key is None:
            raise Http404
        if not self.has_revoke_permission(request, object_id):
            raise PermissionDenied
        revoke_key(key)
        self.log_change(request, key, "Revoked.")
        messages.success(request, f"{key} is revoked.")
        url = reverse("admin:accounts_apikey_change", args=[key.pk])
        return dialog_done(request, url)


@admin.register(IdempotentRequest)
class IdempotentRequestAdmin(ReadOnlyAdmin):
    list_display = ("key", "status_code", "created_at")
    search_fields = ("key",)
    search_help_text = "Search by Idempotency-Key"
    date_hierarchy = "created_at"
    fields = ("key", "fingerprint", "status_code", "body", "created_at")
    empty_hint = "Partners' POST requests with an Idempotency-Key appear here."
