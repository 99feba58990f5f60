"""The approval page: what waits, a confirmation of exactly what will happen, and how it went.

Nothing changes on GET. Each row carries the digest of what was shown; the service refuses a stale one.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from accounts.admin_base import actor_of, many_tenants
from accounts.clock import wall_now
from accounts.models import User
from accounts.permissions import APPROVE, VIEW, may
from automation.admin.presentation import (
    OUTCOME_COLOURS,
    STATE_COLOURS,
    UNDER_WAY,
    ChangeText,
    at_stake,
    change_text,
    expected_profit,
    money_totals,
    readings_of,
)
from automation.approvals import ApprovalError, approve, refuse, why_void
from automation.models import Action, Approval, Verdict
from automation.states import State

SHOWN_AT_ONCE = 100
RECENT = 12
DECISIONS = ("approve", "refuse")


@dataclass(frozen=True, slots=True)
class Card:
    """One action as a person sees it; `obstacle` says why this person cannot approve it."""

    action: Action
    change: ChangeText
    at_stake: str
    colour: str
    verdicts: list[tuple[Verdict, str]]
    notable: list[tuple[Verdict, str]]
    readings: list[dict[str, Any]]
    expected_profit: str
    approvals: list[Approval]
    obstacle: str

    @property
    def ticket(self) -> str:
        """What a form posts back: the row, and what was shown of it."""
        return f"{self.action.pk}:{self.action.digest}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one decision went."""

    card: Card
    error: str


def card_of(action: Action, user: User) -> Card:
    verdicts = [(verdict, OUTCOME_COLOURS[verdict.outcome]) for verdict in action.verdicts.all()]
    return Card(
        action=action,
        change=change_text(action),
        at_stake=at_stake(action),
        colour=STATE_COLOURS[action.state],
        verdicts=verdicts,
        notable=[pair for pair in verdicts if pair[0].outcome != Verdict.Outcome.ALLOW],
        readings=readings_of(action),
        expected_profit=expected_profit(action),
        approvals=list(action.approvals.all()),
        obstacle=_obstacle(action, user),
    )


def _obstacle(action: Action, user: User) -> str:
    if not may(user, APPROVE, action.tenant):
        return "Your role does not approve changes."
    if action.author_id == user.pk:
        return "You proposed this change: somebody else approves it."
    if any(approval.approver_id == user.pk for approval in action.approvals.all()):
        return "You have decided on this one already."
    return ""


def pending() -> Any:
    """What waits for a decision and has not expired, the most urgent first."""
    rows = Action.objects.filter(state=State.AWAITING_APPROVAL, expires_at__gt=wall_now())
    return _with_all(rows).order_by("expires_at", "created_at")


def _with_all(rows: Any) -> Any:
    related = rows.select_related("tenant", "ad_account", "ad_set", "run", "author")
    return related.prefetch_related("verdicts", "approvals__approver")


def approvals_page(request: HttpRequest) -> HttpResponse:
    user = _reader(request)
    rows = list(pending()[: SHOWN_AT_ONCE + 1])
    return _page(
        request,
        "bursar/approvals.html",
        "Approvals",
        cards=[card_of(action, user) for action in rows[:SHOWN_AT_ONCE]],
        has_more=len(rows) > SHOWN_AT_ONCE,
        may_decide=may(user, APPROVE),
        **_recent(request, []),
    )


def recent_fragment(request: HttpRequest) -> HttpResponse:
    """What was decided lately (or the rows asked for), with their states as they are now."""
    _reader(request)
    context = _recent(request, request.GET.getlist("id"))
    return TemplateResponse(request, "bursar/recent.html", context)


def _recent(request: HttpRequest, ids: Iterable[str]) -> dict[str, Any]:
    wanted = [parsed for parsed in map(_uuid, ids) if parsed]
    rows = Action.objects.filter(pk__in=wanted) if wanted else Action.objects.filter(approvals__isnull=False)
    newest = _with_all(rows.distinct()).order_by("-created_at")[: len(wanted) or RECENT]
    cards = [card_of(action, actor_of(request)) for action in newest]
    waiting = pending().count()
    return {"recent": cards, "under_way": UNDER_WAY, "waiting": waiting, "is_named": many_tenants()}


def confirm_page(request: HttpRequest) -> HttpResponse:
    """List exactly what the decision would do. Changes nothing."""
    user = _reader(request)
    decision, tickets = _asked(request)
    if request.method != "POST" or decision not in DECISIONS:
        return _back()
    if not tickets:
        messages.warning(request, "Select at least one change first.")
        return _back()
    found = _actions(tickets)
    cards, problems = [], []
    for ticket in tickets:
        action = found.get(ticket[0])
        problem = _problem(action, ticket[1], user, decision)
        if action is None or problem:
            problems.append((action, problem))
        else:
            cards.append(card_of(action, user))
    return _page(
        request,
        "bursar/confirm.html",
        f"{decision.capitalize()} {len(cards)} change{'s' * (len(cards) != 1)}?",
        cards=cards,
        problems=problems,
        decision=decision,
        reason=request.POST.get("reason", ""),
        totals=money_totals(card.action for card in cards),
    )


def _problem(action: Action | None, digest: str, user: User, decision: str) -> str:
    if action is None:
        return "This change is not to be found."
    obstacle = _obstacle(action, user)
    if decision == "refuse" and action.author_id == user.pk and may(user, APPROVE, action.tenant):
        obstacle = ""
    return obstacle or why_void(action, digest).capitalize()


def decide_view(request: HttpRequest) -> HttpResponse:
    """Take the confirmed decisions one by one, and say of each how it went."""
    user = _reader(request)
    decision, tickets = _asked(request)
    if request.method != "POST" or decision not in DECISIONS or not tickets:
        return _back()
    reason = request.POST.get("reason", "").strip()
    if decision == "refuse" and not reason:
        messages.error(request, "Refusing needs a reason: it is kept with the decision.")
        return confirm_page(request)
    errors = {pk: _decide(decision, pk, digest, reason, user) for pk, digest in tickets}
    found = _actions(tickets)
    outcomes = [Outcome(card_of(found[pk], user), error) for pk, error in errors.items() if pk in found]
    return _page(
        request,
        "bursar/decided.html",
        "Decided",
        outcomes=outcomes,
        decision=decision,
        missing=len(errors) - len(outcomes),
        done=[o.card.action.pk for o in outcomes if not o.error],
        **_recent(request, [str(o.card.action.pk) for o in outcomes if not o.error]),
    )


def _decide(decision: str, pk: uuid.UUID, digest: str, reason: str, user: User) -> str:
    """One decision; the error in words, empty when it was taken."""
    try:
        if decision == "approve":
            approve(action_id=pk, digest=digest, actor=user)
            return ""
        action = Action.objects.filter(pk=pk).first()
        if action is not None and action.digest != digest:
            return "What was shown has changed: look at it again."
        refuse(action_id=pk, reason=reason, actor=user)
    except Action.DoesNotExist:
        return "This change is not to be found."
    except PermissionDenied as error:
        return f"{error}."
    except ApprovalError as error:
        text = str(error)
        return f"{text[0].upper()}{text[1:]}."
    return ""


def _asked(request: HttpRequest) -> tuple[str, list[tuple[uuid.UUID, str]]]:
    """The decision, and (row, digest as shown) of each selected card; a card's own buttons win over the boxes."""
    for decision in DECISIONS:
        if request.POST.get(f"{decision}_one"):
            return decision, _tickets([request.POST[f"{decision}_one"]])
    return request.POST.get("decision", ""), _tickets(request.POST.getlist("selected"))


def _tickets(texts: Iterable[str]) -> list[tuple[uuid.UUID, str]]:
    pairs = (text.partition(":") for text in texts)
    tickets = {parsed: digest for pk, _, digest in pairs if (parsed := _uuid(pk))}
    return list(tickets.items())[:SHOWN_AT_ONCE]


def _uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def _actions(tickets: list[tuple[uuid.UUID, str]]) -> dict[uuid.UUID, Action]:
    rows = _with_all(Action.objects.filter(pk__in=[pk for pk, _ in tickets]))
    return {action.pk: action for action in rows}


def _reader(request: HttpRequest) -> User:
    user = actor_of(request)
    if not may(user, VIEW):
        raise PermissionDenied
    return user


def _page(request: HttpRequest, template: str, title: str, **context: Any) -> HttpResponse:
    shared = {**admin.site.each_context(request), "title": title, "is_named": many_tenants()}
    return TemplateResponse(request, template, {**shared, **context})


def _back() -> HttpResponse:
    return HttpResponseRedirect(reverse("admin:approvals"))


def urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("approvals/", view(approvals_page), name="approvals"),
        path("approvals/recent/", view(recent_fragment), name="approvals_recent"),
        path("approvals/confirm/", view(confirm_page), name="approvals_confirm"),
        path("approvals/decide/", view(decide_view), name="approvals_decide"),
    ]
