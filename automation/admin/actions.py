"""Actions: the list, and a page per action that tells its whole story."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from accounts.admin_base import ReadOnlyAdmin, badge
from accounts.admin_fields import money
from automation.admin.presentation import (
    OUTCOME_COLOURS,
    STATE_COLOURS,
    change_text,
    expected_profit,
    held_text,
    readings_of,
)
from automation.admin.records import change_in_words
from automation.models import Action


@display(description="Read back")
def read_back(action: Action) -> str:
    return held_text(action) or "–"


DETAIL_FIELDS = (
    "slot",
    "stage",
    "run",
    "author",
    "attempts",
    "sent_at",
    read_back,
    "expires_at",
    "not_before",
    "finished_at",
    "approvals_required",
    "limits_version",
    "version",
    "digest",
    "reverses",
)


@admin.register(Action)
class ActionAdmin(ReadOnlyAdmin):
    list_display = (
        "ad_set",
        change_in_words,
        badge("state", STATE_COLOURS),
        "source_name",
        money("maximum_extra_micros", "At most a day"),
        "ad_account",
        "created_at",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        ("ad_account", RelatedDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("source", ChoicesDropdownFilter),
    )
    list_select_related = ("ad_set", "ad_account", "tenant")
    search_fields = ("ad_set__name", "ad_set__external_id", "source_name", "reason")
    search_help_text = "Search by ad set, source or reason"
    date_hierarchy = "created_at"
    fields = DETAIL_FIELDS
    readonly_fields = (read_back,)
    change_form_template = "bursar/action.html"
    empty_hint = "What gets past arbitration appears here, with its state and every guardrail's verdict."

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        action = self.get_object(request, object_id)
        story = self._story(action) if action is not None and self.has_view_permission(request, action) else {}
        response: HttpResponse = super().change_view(request, object_id, form_url, {**(extra_context or {}), **story})
        return response

    def _story(self, action: Action) -> dict[str, Any]:
        return {
            "row": action,
            "words": change_text(action),
            "state_colour": STATE_COLOURS[action.state],
            "verdicts": [(verdict, OUTCOME_COLOURS[verdict.outcome]) for verdict in action.verdicts.all()],
            "approvals": action.approvals.select_related("approver"),
            "timeline": action.log.order_by("number"),
            "readings": readings_of(action),
            "expected_profit": expected_profit(action),
        }
