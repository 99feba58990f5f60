"""Rules: their condition and action as JSON to edit, and in words to read."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter
from unfold.decorators import action, display
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminSelectWidget

from accounts.admin_base import ScopedAdmin, actor_of, badge, dialog_done, tenants_to_configure
from accounts.models import Tenant
from rules.actions import Pause, RuleActionError, parse_action
from rules.conditions import All, AnyOf, Comparison, ConditionError, Node, Not, parse
from rules.models import AutomationMode, RiskLevel, Rule
from rules.presets import PRESETS, enable_preset
from rules.services import save_rule

RISK_COLOURS: dict[str, str] = {RiskLevel.LOW: "success", RiskLevel.MEDIUM: "warning", RiskLevel.HIGH: "danger"}
MODE_COLOURS: dict[str, str] = {
    AutomationMode.SUGGEST: "default",
    AutomationMode.AUTO_LOW: "info",
    AutomationMode.AUTO_ALL: "warning",
}
SIGNS = {"<": "<", "<=": "≤", ">": ">", ">=": "≥"}


def in_words(node: Node) -> str:
    """A condition as one line: `roas over last_3d ≥ 2.5 and …`."""
    match node:
        case Comparison():
            least = ", ".join(f"{metric} at least {value}" for metric, value in node.minimum)
            return f"{node.metric} over {node.window} {SIGNS[node.operator]} {node.threshold}" + (
                f" (given {least})" if least else ""
            )
        case Not():
            return f"not ({in_words(node.part)})"
        case All() | AnyOf():
            word = " and " if isinstance(node, All) else " or "
            parts = (in_words(part) for part in node.parts)
            return word.join(f"({part})" if " or " in part and word == " and " else part for part in parts)


class PresetForm(BaseDialogForm):
    preset = forms.ChoiceField(
        choices=[(key, f"{preset.name}: {preset.sentence}") for key, preset in PRESETS.items()],
        widget=UnfoldAdminSelectWidget(),
    )
    tenant = forms.ModelChoiceField(Tenant._base_manager.none(), widget=UnfoldAdminSelectWidget())

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tenants = tenants_to_configure(actor_of(self.request))
        self.fields["tenant"].queryset = tenants  # type: ignore[attr-defined]
        self.fields["tenant"].initial = tenants.first()


@admin.register(Rule)
class RuleAdmin(ScopedAdmin):
    list_display = (
        "name",
        "does",
        "priority",
        badge("risk_level", RISK_COLOURS),
        badge("mode", MODE_COLOURS),
        "is_safety",
        "is_enabled",
        "version",
    )
    list_filter = (
        ("is_enabled", BooleanRadioFilter),
        ("risk_level", ChoicesDropdownFilter),
        ("mode", ChoicesDropdownFilter),
    )
    list_select_related = ("tenant",)
    search_fields = ("name", "sentence")
    search_help_text = "Search by name or sentence"
    autocomplete_fields = ("ad_account",)
    readonly_fields = ("when", "does", "version", "updated_at", "updated_by")
    actions_list = ("add_preset",)
    empty_hint = "Start from a preset: it suggests changes and does nothing by itself."
    may_delete = True
    fieldsets = (
        (None, {"fields": ("name", "sentence", "ad_account", "is_enabled")}),
        ("What it does", {"fields": ("when", "does", "condition", "action")}),
        ("How far it may go", {"fields": ("mode", "risk_level", "priority", "is_safety")}),
        ("Version", {"fields": ("version", "updated_at", "updated_by")}),
    )

    @display(description="When")
    def when(self, rule: Rule) -> str:
        try:
            return in_words(parse(rule.condition))
        except ConditionError:
            return "–"

    @display(description="Does")
    def does(self, rule: Rule) -> str:
        try:
            wanted = parse_action(rule.action)
        except RuleActionError:
            return "–"
        return "Pause the ad set" if isinstance(wanted, Pause) else f"Budget {wanted.percent:+d} %".replace("-", "−")

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: Any) -> None:
        save_rule(obj, actor=actor_of(request))

    @action(  # type: ignore[operator]
        description="Add a preset",
        icon="playlist_add",
        permissions=["add"],
        dialog={
            "title": "Add a preset rule",
            "description": "It starts as a suggestion: whatever it proposes waits for a person.",
            "form_class": PresetForm,
            "form_submit_text": "Add",
        },
    )
    def add_preset(self, request: HttpRequest, form: PresetForm) -> HttpResponse:
        rule = enable_preset(form.cleaned_data["tenant"], form.cleaned_data["preset"])
        url = reverse("admin:rules_rule_change", args=[rule.pk])
        return dialog_done(request, url)
