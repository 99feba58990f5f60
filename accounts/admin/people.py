"""Tenants, their members and the people themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin_base import ReadOnlyInline, ScopedAdmin, actor_of, badge, tenants_to_configure
from accounts.admin_fields import money
from accounts.models import Membership, Role, Tenant, User
from accounts.permissions import CONFIGURE, may
from accounts.scoping import EVERYTHING, active_scope, all_tenants

ROLE_COLOURS: dict[str, str] = {
    Role.OWNER: "primary",
    Role.APPROVER: "success",
    Role.BUYER: "info",
    Role.VIEWER: "default",
}


class MemberInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role")
    verbose_name_plural = "members"


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("tenant", "role")


@admin.register(Tenant)
class TenantAdmin(ScopedAdmin):
    list_display = ("name", "currency", "timezone", money("cogs_per_unit_micros", "Cost per unit"), "is_active")
    list_filter = ("is_active",)
    search_fields = ("name", "slug")
    search_help_text = "Search by name"
    readonly_fields = ("created_at", "lambda_day")
    inlines = (MemberInline,)
    form = forms.ModelForm
    fieldsets = (
        (None, {"fields": ("name", "slug", "is_active")}),
        ("Money and time", {"fields": ("currency", "timezone", "cogs_per_unit_micros")}),
        ("Reward", {"fields": ("lambda_spend_ppm", "lagrange_step_ppm", "lambda_day")}),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return actor_of(request).is_superuser


@admin.register(Membership)
class MembershipAdmin(ScopedAdmin):
    list_display = ("user", "tenant", badge("role", ROLE_COLOURS))
    list_filter = (("role", ChoicesDropdownFilter), ("tenant", RelatedDropdownFilter))
    list_select_related = ("user", "tenant")
    search_fields = ("user__username", "user__first_name", "user__last_name")
    search_help_text = "Search by a person's name"
    autocomplete_fields = ("user",)
    empty_hint = "Give a person a role in a tenant."
    form = forms.ModelForm
    may_delete = True

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return () if obj is None else ("tenant", "user")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "tenant":
            kwargs["queryset"] = tenants_to_configure(actor_of(request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


class NewMemberForm(UserCreationForm):
    """A new person, and what they may do where: without a membership they would see nothing."""

    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER, widget=UnfoldAdminSelectWidget())

    class Meta:
        model = User
        fields = ("username",)


@admin.register(User)
class UserAdmin(ScopedAdmin, DjangoUserAdmin):  # type: ignore[misc]
    """People who share a tenant with the reader. Whoever owns all tenants of a person may change them."""

    form = UserChangeForm
    add_form = NewMemberForm
    change_password_form = AdminPasswordChangeForm
    list_display = ("username", "full_name", "email", "is_active", "last_login")
    list_filter = ("is_active",)
    search_fields = ("username", "first_name", "last_name", "email")
    search_help_text = "Search by name or address"
    filter_horizontal = ()
    readonly_fields = ("last_login", "date_joined")
    inlines = (MembershipInline,)
    fieldsets = (  # type: ignore[assignment]
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_superuser", "last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"fields": ("username", "password1", "password2", "for_tenant", "role")}),)  # type: ignore[assignment]

    @display(description="Name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[User]:
        people: models.QuerySet[User] = super().get_queryset(request)
        scope = active_scope()
        if scope is EVERYTHING:
            return people
        members = Membership.objects.values_list("user_id", flat=True)
        return people.filter(models.Q(pk__in=members) | models.Q(pk=request.user.pk))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Changing a person reaches every tenant of theirs, so the right is needed in each."""
        actor = actor_of(request)
        if obj is None or actor.is_superuser:
            return super().has_change_permission(request, obj)
        with all_tenants():
            tenants = [row.tenant for row in Membership.objects.filter(user=obj).select_related("tenant")]
        return not obj.is_superuser and bool(tenants) and all(may(actor, CONFIGURE, tenant) for tenant in tenants)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        return fields if actor_of(request).is_superuser else (*fields, "is_superuser")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            tenants = tenants_to_configure(actor_of(request))
            choice = forms.ModelChoiceField(
                tenants, initial=tenants.first(), label="Tenant", widget=UnfoldAdminSelectWidget()
            )
            kwargs["form"] = type("NewMemberFormHere", (self.add_form,), {"for_tenant": choice})
            return DjangoUserAdmin.get_form(self, request, obj, change=change, **kwargs)
        return super().get_form(request, obj, change=change, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        if not change:
            obj.is_staff = True
        super().save_model(request, obj, form, change)
        if not change:
            data = form.cleaned_data
            Membership.objects.create(user=obj, tenant=data["for_tenant"], role=data["role"])
