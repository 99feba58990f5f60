"""What people type and choose before a connection: for whom, which shop, which kind of account, which token."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin_base import tenants_to_configure
from accounts.admin_fields import SecretField
from accounts.models import Tenant, User
from connectors.contracts import Platform
from connectors.subjects import KINDS, LONGEST, SubjectError, subject_of


class StartForm(forms.Form):
    """For which tenant, and what the login is for where the platform must know; `asks_subject` off: it is known."""

    tenant = forms.ModelChoiceField(Tenant._base_manager.none(), widget=UnfoldAdminSelectWidget(), empty_label=None)

    def __init__(self, user: User, platform: Platform, *args: Any, asks_subject: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.platform = platform
        field: Any = self.fields["tenant"]
        field.queryset = tenants_to_configure(user).filter(is_active=True)
        self.tenants = list(field.queryset)
        if len(self.tenants) == 1:
            field.widget, field.initial = forms.HiddenInput(), self.tenants[0].pk
        if asks_subject and platform is Platform.SHOPIFY:
            self.fields["subject"] = shop_field()
        if asks_subject and platform is Platform.TIKTOK_SHOP:
            self.fields["subject"] = kind_field()

    def clean_subject(self) -> str:
        try:
            return subject_of(self.platform, self.cleaned_data["subject"])
        except SubjectError as error:
            raise forms.ValidationError(str(error)) from error


class KindForm(forms.Form):
    """Which kind of account a login is for that was stored without saying so."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subject"] = kind_field()


class TokenForm(StartForm):
    """A Shopify shop, and what the app that its owner made for it opens it with."""

    token = SecretField(label="Admin API access token", help_text="It begins with shpat_. Stored sealed, never shown.")
    app_secret = SecretField(
        label="API secret key",
        help_text="What the app's webhooks are signed with. Without it, changes are read every hour instead.",
    )

    field_order = ("tenant", "subject", "token", "app_secret")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(user, Platform.SHOPIFY, *args, **kwargs)
        self.fields["token"].required = True
        self.order_fields(self.field_order)


def shop_field() -> forms.Field:
    return forms.CharField(
        label="The shop's address at Shopify",
        max_length=LONGEST,
        help_text="Such as some-shop.myshopify.com, or its page in Shopify's admin.",
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )


def kind_field() -> forms.Field:
    return forms.ChoiceField(label="Who logs in", choices=list(KINDS.items()), widget=UnfoldAdminSelectWidget())
