"""What every admin page shares: rows, choices and writes stay in the tenants of whoever is logged in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from unfold.admin import ModelAdmin, TabularInline
from unfold.contrib.filters.admin import RelatedDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin_fields import form_field, readable
from accounts.models import Tenant, TenantOwned, User
from accounts.permissions import CONFIGURE, may
from accounts.scoping import EVERYTHING, active_scope


def actor_of(request: HttpRequest) -> User:
    """The person behind a request that the admin site has let in."""
    assert isinstance(request.user, User)
    return request.user


def many_tenants() -> bool:
    """Whether the tenant must be named for a row to be understood."""
    scope = active_scope()
    return scope is EVERYTHING or len(scope) > 1


def tenants_to_configure(user: User) -> models.QuerySet[Tenant]:
    ids = [tenant.pk for tenant in Tenant.objects.all() if may(user, CONFIGURE, tenant)]
    rows: models.QuerySet[Tenant] = Tenant.objects.filter(pk__in=ids)
    return rows


def dialog_done(request: HttpRequest, url: str) -> HttpResponse:
    """Where to go after a dialog, which posts through htmx when scripts run."""
    return (
        HttpResponse(headers={"HX-Redirect": url}) if request.headers.get("HX-Request") else HttpResponseRedirect(url)
    )


def badge(name: str, colours: dict[str, str], description: str = "") -> Any:
    """A column that shows a choice as a coloured label."""

    @display(description=description or name.replace("_", " ").capitalize(), ordering=name, label=colours)
    def column(row: Any) -> Any:
        return getattr(row, name), getattr(row, f"get_{name}_display")()

    column.__name__ = name
    return column


class ScopedForm(forms.ModelForm):
    """Gives a new row its tenant, and refuses whatever belongs to another one."""

    actor: User

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        tenant = self._tenant(cleaned)
        if tenant is None:
            return cleaned
        if not may(self.actor, CONFIGURE, tenant):
            raise forms.ValidationError(f"You may not configure {tenant}.")
        self.instance.tenant = tenant
        for name, value in list(cleaned.items()):
            if any(row.tenant_id != tenant.pk for row in _owned_rows(value)):
                self.add_error(name, f"This belongs to another tenant than {tenant}.")
        return cleaned

    def _tenant(self, cleaned: dict[str, Any]) -> Tenant | None:
        """The row's own; for a new row the chosen one, else that of what it hangs on, else the only one."""
        if not self.instance._state.adding:
            return self.instance.tenant  # type: ignore[no-any-return]
        parents = (row.tenant for value in cleaned.values() for row in _owned_rows(value))
        return cleaned.get("for_tenant") or next(parents, None) or tenants_to_configure(self.actor).first()

    def _get_validation_exclusions(self) -> set[str]:
        """Unique constraints hold the tenant, which is no field of the form."""
        names: set[str] = super()._get_validation_exclusions()  # type: ignore[misc]
        return names - {"tenant"}


def _owned_rows(value: Any) -> Sequence[Any]:
    if isinstance(value, models.QuerySet) and issubclass(value.model, TenantOwned):
        return list(value)
    return [value] if isinstance(value, TenantOwned) else []


class ScopedAdmin(ModelAdmin):
    """Tenant-aware permissions; foreign keys that offer only what the target's own page lists.

    `parent` names the required foreign key that a new row takes its tenant from; without one, whoever
    configures several tenants chooses. `empty_hint` is the next step when a list has no rows.
    """

    form: Any = ScopedForm
    fields: ClassVar[Any] = None
    fieldsets: ClassVar[Any] = None
    add_fieldsets: Any = ()
    readonly_fields: ClassVar[Any] = ()
    list_filter: ClassVar[Any] = ()
    actions_list: Any = ()
    actions_detail: Any = ()
    parent = ""
    empty_hint = ""
    show_facets = admin.ShowFacets.ALLOW
    list_per_page = 50
    list_filter_submit = True
    warn_unsaved_form = True
    may_delete = False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(self._permission("view"), obj)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(self._permission("add"))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(self._permission("change"), obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may_delete and request.user.has_perm(self._permission("delete"), obj)

    def _permission(self, verb: str) -> str:
        return f"{self.opts.app_label}.{verb}_{self.opts.model_name}"

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if not change and self._asks_for_tenant(request):
            choice = forms.ModelChoiceField(
                tenants_to_configure(actor_of(request)), label="Tenant", widget=UnfoldAdminSelectWidget()
            )
            kwargs["form"] = type("FormWithTenant", (self.form,), {"for_tenant": choice})
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.actor = request.user
        return form

    def _asks_for_tenant(self, request: HttpRequest) -> bool:
        is_owned = issubclass(self.model, TenantOwned) and not self.parent
        return is_owned and tenants_to_configure(actor_of(request)).count() > 1

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The declared ones; the tenant first where it is asked for, readable text where nothing can be changed."""
        fieldsets = [(title, {**options}) for title, options in super().get_fieldsets(request, obj)]
        if obj is None and self._asks_for_tenant(request):
            options = fieldsets[0][1]
            options["fields"] = ["for_tenant", *(name for name in options["fields"] if name != "for_tenant")]
        if obj is not None and not self.has_change_permission(request, obj):
            for _, options in fieldsets:
                options["fields"] = [readable(field) for field in options["fields"]]
        return fieldsets

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """A row that is not there yet has nothing below it."""
        return self.inlines if obj is not None else ()

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return form_field(db_field) or super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def _choices(self, db_field: Any, request: HttpRequest) -> models.QuerySet[Any]:
        target = db_field.remote_field.model
        page = self.admin_site._registry.get(target)
        rows: models.QuerySet[Any] = page.get_queryset(request) if page else target._default_manager.none()
        return rows

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        columns = list(super().get_list_display(request))
        return [*columns, "tenant"] if self._names_tenant() and "tenant" not in columns else columns

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        filters = list(super().get_list_filter(request))
        return [*filters, ("tenant", RelatedDropdownFilter)] if self._names_tenant() else filters

    def _names_tenant(self) -> bool:
        return issubclass(self.model, TenantOwned) and many_tenants()


class ReadOnlyAdmin(ScopedAdmin):
    """Facts and records: looked at, never edited here."""

    actions = ()

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.fields:
            return [*self.fields]
        hidden = {"id", *(["tenant"] if not many_tenants() else [])}
        return [field.name for field in self.opts.concrete_fields if field.name not in hidden]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class ReadOnlyInline(TabularInline):
    """Rows that belong to the page's row, looked at only."""

    extra = 0
    can_delete = False
    fields: ClassVar[Any] = None
    readonly_fields: ClassVar[Any] = ()
    per_page: Any = 20
    ordering = ("pk",)
    show_change_link = True

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.view_{self.opts.model_name}", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
