"""Runs, proposals, verdicts, approvals and the action log: records, read-only without exception."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import BooleanRadioFilter, ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, badge
from accounts.admin_fields import money
from accounts.scoping import EVERYTHING, active_scope
from automation.admin.presentation import OUTCOME_COLOURS, change_text
from automation.models import Approval, Change, LogEntry, LogHead, PolicyRun, ProposalRecord, Verdict

RUN_COLOURS: dict[str, str] = {
    PolicyRun.Status.RUNNING: "info",
    PolicyRun.Status.DONE: "success",
    PolicyRun.Status.FAILED: "danger",
}
of_account = ("ad_account", RelatedDropdownFilter)
BY_THE_HOUR = "The next hourly run writes here."


@display(description="Change")
def change_in_words(change: Change) -> str:
    text = change_text(change)
    return f"{text.before} → {text.after}" + (f" ({text.percent})" if text.percent else "")


@admin.register(PolicyRun)
class PolicyRunAdmin(ReadOnlyAdmin):
    list_display = ("slot", "ad_account", "stage", "policy", badge("status", RUN_COLOURS), "finished_at", "error")
    list_filter = (of_account, ("status", ChoicesDropdownFilter), ("stage", ChoicesDropdownFilter))
    list_select_related = ("ad_account", "tenant")
    search_fields = ("policy", "error", "ad_account__name")
    search_help_text = "Search by policy, ad account or error"
    date_hierarchy = "slot"
    empty_hint = BY_THE_HOUR


@admin.register(ProposalRecord)
class ProposalAdmin(ReadOnlyAdmin):
    list_display = ("ad_set", change_in_words, "source_name", "reason", "won", "lost_to", "created_at")
    list_filter = (of_account, ("won", BooleanRadioFilter), ("source", ChoicesDropdownFilter))
    list_select_related = ("ad_set", "ad_account", "tenant")
    search_fields = ("ad_set__name", "source_name", "reason")
    search_help_text = "Search by ad set, source or reason"
    date_hierarchy = "created_at"
    empty_hint = "Rules and policies propose changes each hour; all of them are kept here, the losers too."


@admin.register(Verdict)
class VerdictAdmin(ReadOnlyAdmin):
    list_display = ("guardrail", badge("outcome", OUTCOME_COLOURS), "reason", "action", money("target_micros", "Left"))
    list_filter = (("outcome", ChoicesDropdownFilter),)
    list_select_related = ("action__ad_set", "tenant")
    search_fields = ("guardrail", "reason", "action__ad_set__name")
    search_help_text = "Search by guardrail, reason or ad set"
    empty_hint = BY_THE_HOUR


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = (
        "action",
        badge("decision", {"approve": "success", "refuse": "danger"}),
        "approver",
        "reason",
        "created_at",
    )
    list_filter = (("decision", ChoicesDropdownFilter),)
    list_select_related = ("action__ad_set", "approver", "tenant")
    search_fields = ("action__ad_set__name", "reason", "approver__username")
    search_help_text = "Search by ad set, person or reason"
    date_hierarchy = "created_at"
    empty_hint = "Decisions appear here once somebody approves or refuses a change."


@admin.register(LogEntry)
class LogAdmin(ReadOnlyAdmin):
    list_display = ("number", "at", "event", "actor", "action", "from_state", "to_state")
    list_select_related = ("action__ad_set", "tenant")
    search_fields = ("event", "actor", "action__ad_set__name")
    search_help_text = "Search by event, actor or ad set"
    date_hierarchy = "at"
    empty_hint = "Every change of an action's state is written here, for good."


@admin.register(LogHead)
class LogHeadAdmin(ReadOnlyAdmin):
    list_display = ("tenant", "number", "short_hash")
    list_select_related = ("tenant",)
    fields = ("tenant", "number", "hash")

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[LogHead]:
        rows: models.QuerySet[LogHead] = super().get_queryset(request)
        scope = active_scope()
        return rows if scope is EVERYTHING else rows.filter(tenant_id__in=scope)

    @display(description="Hash")
    def short_hash(self, head: Any) -> str:
        return f"{head.hash[:12]}…"
