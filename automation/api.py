"""The partner API over what may be done: actions and the kill switch."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import ad_sets
from accounts.api_fields import (
    ACTION,
    AD_ACCOUNT,
    AD_SET,
    IdField,
    MoneyField,
    MoneyInput,
    SpanQuery,
    StrictBooleanField,
    StrictSerializer,
    TextField,
    TimeField,
    public_id,
)
from accounts.api_views import (
    PAGE_PARAMETERS,
    PartnerView,
    Problem,
    bad_parameter,
    one_of,
    page,
    page_of,
    path_id,
    read_query,
)
from accounts.idempotency import KEY_PARAMETER, once
from accounts.models import AdSet, RolloutStage, Status
from automation.kill_switch import engage, stop_reason
from automation.manual import ProposeError, Why, propose_change
from automation.models import KINDS, SOURCES, Action, Approval, KillSwitch, Verdict
from automation.states import State
from rules.proposals import ChangeKind

TAGS = ["Actions"]
STATUS_OF = {Why.INVALID: 422, Why.CONFLICT: 409}


class ActionView(serializers.Serializer):
    """A change of one ad set, from base to target: a daily budget, or a status. Enums may grow."""

    id = IdField(ACTION, source="pk", read_only=True)
    ad_set = IdField(AD_SET, source="ad_set_id", read_only=True)
    ad_account = IdField(AD_ACCOUNT, source="ad_account_id", read_only=True)
    kind = serializers.ChoiceField(KINDS)
    base_daily_budget = MoneyField("base_micros")
    target_daily_budget = MoneyField("target_micros", help_text="After the guardrails.")
    proposed_daily_budget = MoneyField("proposed_micros", help_text="Before the guardrails.")
    base_status = serializers.CharField(help_text="Empty for budgets.")
    target_status = serializers.CharField(help_text="Empty for budgets.")
    state = serializers.ChoiceField(State.choices)
    stage = serializers.ChoiceField(RolloutStage.choices)
    source = serializers.ChoiceField(SOURCES)  # type: ignore[assignment]
    source_name = serializers.CharField()
    reason = serializers.CharField()
    note = serializers.CharField(help_text="Why it stands where it stands.")
    next_step = serializers.CharField()
    maximum_extra = MoneyField(
        "maximum_extra_micros", help_text="The most that the platform may spend more in a day because of it."
    )
    approvals_required = serializers.IntegerField()
    slot = TimeField(help_text="UTC start of the hour that it was decided for.")
    created_at = TimeField()
    expires_at = TimeField(allow_null=True)
    finished_at = TimeField(allow_null=True)

    class Meta:
        ref_name = "Action"


class VerdictView(serializers.Serializer):
    guardrail = serializers.CharField()
    outcome = serializers.ChoiceField(Verdict.Outcome.choices)
    reason = serializers.CharField()

    class Meta:
        ref_name = "Verdict"


class ApprovalView(serializers.Serializer):
    approver = serializers.CharField()
    decision = serializers.ChoiceField(Approval.Decision.choices)
    reason = serializers.CharField()
    created_at = TimeField()

    class Meta:
        ref_name = "Approval"


class LogEntryView(serializers.Serializer):
    number = serializers.IntegerField()
    at = TimeField()
    event = serializers.CharField()
    actor = serializers.CharField()
    from_state = serializers.CharField()
    to_state = serializers.CharField()
    note = serializers.SerializerMethodField()
    hash = serializers.CharField()

    class Meta:
        ref_name = "LogEntry"

    def get_note(self, entry: Any) -> str:
        return str(entry.details.get("note", ""))


class ActionDetailView(ActionView):
    verdicts = VerdictView(many=True)
    approvals = ApprovalView(many=True)
    log = serializers.SerializerMethodField()

    class Meta:
        ref_name = "ActionDetail"

    @extend_schema_field(LogEntryView(many=True))
    def get_log(self, action: Action) -> Any:
        return LogEntryView(action.log.order_by("number"), many=True).data


class ActionQuery(SpanQuery):
    """`from` and `to` bound the slot."""

    state = serializers.ChoiceField(State.choices, required=False)
    kind = serializers.ChoiceField(KINDS, required=False)
    ad_set = IdField(AD_SET, required=False)


class ProposeRequest(StrictSerializer):
    """One change: `daily_budget` for `set_budget`, `status` for `set_status`."""

    ad_set = IdField(AD_SET)
    kind = serializers.ChoiceField(KINDS)
    daily_budget = MoneyInput(required=False)
    status = serializers.ChoiceField([Status.ACTIVE, Status.PAUSED], required=False)
    reason = TextField(max_length=500)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted, other = ("daily_budget", "status")[:: 1 if attrs["kind"] == ChangeKind.SET_BUDGET else -1]
        if wanted not in attrs:
            raise serializers.ValidationError({wanted: ["required for this kind"]})
        if other in attrs:
            raise serializers.ValidationError({other: ["has no place in this kind"]})
        return attrs


class Actions(PartnerView):
    scopes = {"GET": "read", "POST": "propose"}

    @extend_schema(
        operation_id="actions_list",
        tags=TAGS,
        parameters=[ActionQuery, *PAGE_PARAMETERS],
        responses=page_of(ActionView),
    )
    def get(self, request: Request) -> Response:
        """Actions, newest first."""
        wanted = read_query(request, ActionQuery, "cursor", "limit")
        start, end = wanted.pop("from", None), wanted.pop("to", None)
        if start and end and start >= end:
            raise bad_parameter("to", "expected a time after `from`")
        if "ad_set" in wanted:
            one_of(ad_sets(), AD_SET, request.query_params["ad_set"])
        span = {"slot__gte": start, "slot__lt": end}
        wanted |= {name: moment for name, moment in span.items() if moment}
        return page(request, Action.objects.filter(**wanted), ActionView)

    @extend_schema(
        operation_id="actions_propose",
        tags=TAGS,
        parameters=[KEY_PARAMETER],
        request=ProposeRequest,
        responses={201: ActionDetailView},
    )
    @once
    def post(self, request: Request) -> Response:
        """Propose a change. It passes the guardrails and never runs alone: see the state of the answer."""
        body = ProposeRequest(data=request.data)
        body.is_valid(raise_exception=True)
        wanted = body.validated_data
        ad_set = one_of(ad_sets(), AD_SET, public_id(AD_SET, wanted["ad_set"]))
        action = self._propose(ad_set, wanted)
        return Response(ActionDetailView(action).data, 201)

    def _propose(self, ad_set: AdSet, wanted: dict[str, Any]) -> Action:
        money, currency = wanted.get("daily_budget"), ad_set.ad_account.currency
        if money and money["currency"] != currency:
            told = {"pointer": "#/daily_budget/currency", "detail": f"the ad account counts in {currency}"}
            raise Problem(422, "invalid_request", told["detail"], [told])
        try:
            return propose_change(
                tenant=self.tenant,
                ad_set=ad_set,
                kind=wanted["kind"],
                reason=wanted["reason"],
                actor=None,
                target=money["amount_micros"] if money else wanted["status"],
                actor_name=f"API key {self.key}",
            )
        except ProposeError as error:
            raise Problem(STATUS_OF[error.why], f"proposal_{error.why}", str(error)) from error


class ActionDetail(PartnerView):
    @extend_schema(
        operation_id="actions_retrieve", tags=TAGS, parameters=[path_id("id", ACTION)], responses=ActionDetailView
    )
    def get(self, request: Request, id: str) -> Response:
        """One action, with the guardrails' verdicts, people's decisions and its log."""
        rows: QuerySet[Action] = Action.objects.prefetch_related("verdicts", "approvals__approver")
        return Response(ActionDetailView(one_of(rows, ACTION, id)).data)


class KillSwitchView(serializers.Serializer):
    """Whether writes are stopped, for this tenant or for all."""

    is_engaged = serializers.BooleanField()
    reason = serializers.CharField(help_text="Why nothing may be written; empty when writing is allowed.")
    changed_at = TimeField(allow_null=True, help_text="When the tenant's own switch last moved.")

    class Meta:
        ref_name = "KillSwitch"


class KillSwitchRequest(StrictSerializer):
    is_engaged = StrictBooleanField(help_text="Only true: releasing is for people.")
    reason = TextField(max_length=300)


class KillSwitchOfTenant(PartnerView):
    scopes = {"GET": "read", "POST": "stop"}

    @extend_schema(operation_id="kill_switch_retrieve", tags=["Kill switch"], responses=KillSwitchView)
    def get(self, request: Request) -> Response:
        """Whether writes are stopped."""
        return Response(self._state())

    @extend_schema(
        operation_id="kill_switch_engage",
        tags=["Kill switch"],
        parameters=[KEY_PARAMETER],
        request=KillSwitchRequest,
        responses=KillSwitchView,
    )
    @once
    def post(self, request: Request) -> Response:
        """Stop every write of the tenant, from the very next attempt on."""
        body = KillSwitchRequest(data=request.data)
        body.is_valid(raise_exception=True)
        if not body.validated_data["is_engaged"]:
            raise Problem(403, "release_is_for_people", "the kill switch is released in the console, by a person")
        engage(tenant=self.tenant, reason=body.validated_data["reason"], actor=None, actor_name=f"API key {self.key}")
        return Response(self._state())

    def _state(self) -> dict[str, Any]:
        why = stop_reason(self.tenant.pk)
        row = KillSwitch.objects.filter(scope=str(self.tenant.pk)).first()
        switch = {"is_engaged": bool(why), "reason": why, "changed_at": row.changed_at if row else None}
        return dict(KillSwitchView(switch).data)
