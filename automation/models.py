"""What may be done, and was it done: runs, proposals as made, actions, approvals, limits, the log."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import AdAccount, AdSet, RolloutStage, TenantOwned, UuidModel, money_constraint
from automation.states import LIVE_STATES, LOCKED_STATES, State

SOURCES = [("rule", "Rule"), ("policy", "Policy"), ("brain", "Brain"), ("person", "Person")]
KINDS = [("set_budget", "Set daily budget"), ("set_status", "Pause or enable")]


class PolicyRun(UuidModel, TenantOwned):
    """One decision hour of one ad account."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="runs")
    slot = models.DateTimeField(help_text="UTC start of the hour that the run is for.")
    stage = models.CharField(max_length=8, choices=RolloutStage.choices)
    policy = models.CharField(max_length=120)
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RUNNING)
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-slot"]
        constraints = [models.UniqueConstraint(fields=["ad_account", "slot"], name="one_run_per_slot")]

    def __str__(self) -> str:
        return f"{self.ad_account} {self.slot:%Y-%m-%d %H:00}"


class Change(UuidModel, TenantOwned):
    """What a proposal and an action have in common: one change of one ad set, from base to target."""

    ad_account = models.ForeignKey(AdAccount, on_delete=models.PROTECT, related_name="+")
    ad_set = models.ForeignKey(AdSet, on_delete=models.PROTECT, related_name="%(class)ss")
    kind = models.CharField(max_length=16, choices=KINDS)
    base_micros = models.BigIntegerField(null=True, blank=True)
    target_micros = models.BigIntegerField(null=True, blank=True)
    base_status = models.CharField(max_length=8, blank=True)
    target_status = models.CharField(max_length=8, blank=True)
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=8, choices=SOURCES)
    source_name = models.CharField(max_length=120)
    reason = models.CharField(max_length=500)
    evidence = models.JSONField(default=dict)

    class Meta:
        abstract = True
        constraints = [
            money_constraint("base_micros"),
            money_constraint("target_micros", low=1),
            models.CheckConstraint(
                condition=models.Q(kind="set_budget", base_micros__isnull=False, target_micros__isnull=False)
                | (models.Q(kind="set_status") & ~models.Q(target_status="") & ~models.Q(base_status="")),
                name="%(class)s_has_base_and_target",
            ),
        ]

    @property
    def base(self) -> int | str:
        return self.base_micros if self.kind == "set_budget" else self.base_status  # type: ignore[return-value]

    @property
    def target(self) -> int | str:
        return self.target_micros if self.kind == "set_budget" else self.target_status  # type: ignore[return-value]

    @property
    def is_raise(self) -> bool:
        if self.kind == "set_budget":
            return (self.target_micros or 0) > (self.base_micros or 0)
        return self.target_status == "active"


class ProposalRecord(Change):
    """A proposal as it was made, and what arbitration did with it."""

    run = models.ForeignKey(PolicyRun, null=True, on_delete=models.CASCADE, related_name="proposals")
    won = models.BooleanField()
    lost_to = models.CharField(max_length=200, blank=True, help_text="Who won, and why.")

    class Meta(Change.Meta):
        ordering = ["-created_at"]
        verbose_name = "proposal"

    def __str__(self) -> str:
        return f"{self.source_name}: {self.ad_set}"


class Action(Change):
    """A proposal that got past arbitration. `state`, `version` and `attempt_token` change only through
    `automation.actions.transition`; a trigger refuses moves that the state machine does not have."""

    run = models.ForeignKey(PolicyRun, null=True, blank=True, on_delete=models.PROTECT, related_name="actions")
    slot = models.DateTimeField(help_text="Business time of the decision.")
    stage = models.CharField(max_length=8, choices=RolloutStage.choices)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    proposed_micros = models.BigIntegerField(null=True, blank=True, help_text="Before the guardrails.")
    state = models.CharField(max_length=20, choices=State.choices, default=State.PROPOSED)
    version = models.PositiveIntegerField(default=0)
    digest = models.CharField(max_length=64)
    limits_version = models.PositiveIntegerField()
    run_limits = models.JSONField(
        null=True,
        blank=True,
        editable=False,
        help_text="The runner's flags: in force until it is dispatched.",
    )
    may_run_alone = models.BooleanField(default=False)
    approvals_required = models.PositiveSmallIntegerField(default=0)
    maximum_extra_micros = models.BigIntegerField(
        default=0, help_text="The most that the platform may spend more in a day because of this change."
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    attempt_token = models.UUIDField(null=True, blank=True, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    first_evidence = models.CharField(max_length=40, blank=True, editable=False)
    first_evidence_at = models.DateTimeField(null=True, blank=True, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    read_back = models.CharField(max_length=40, blank=True, help_text="What the platform held afterwards.")
    note = models.CharField(max_length=500, blank=True, help_text="Why it stands where it stands.")
    next_step = models.CharField(max_length=200, blank=True)
    reverses = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by")

    class Meta(Change.Meta):
        ordering = ["-created_at"]
        constraints = [
            *Change.Meta.constraints,
            models.UniqueConstraint(
                fields=["ad_account", "slot", "ad_set", "kind", "digest"], name="one_action_per_key"
            ),
            models.UniqueConstraint(
                fields=["ad_set", "kind"],
                condition=models.Q(state__in=LOCKED_STATES),
                name="one_write_in_flight",
            ),
            models.UniqueConstraint(
                fields=["ad_set", "kind"], condition=models.Q(state__in=LIVE_STATES), name="one_live_action"
            ),
        ]
        indexes = [models.Index(fields=["tenant", "state"]), models.Index(fields=["ad_set", "kind", "slot"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.ad_set}"


class Verdict(TenantOwned):
    """What one guardrail said about one action."""

    class Outcome(models.TextChoices):
        ALLOW = "allow", "Allowed"
        CLAMP = "clamp", "Clamped"
        BLOCK = "block", "Blocked"

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="verdicts")
    position = models.PositiveSmallIntegerField()
    guardrail = models.CharField(max_length=40)
    outcome = models.CharField(max_length=5, choices=Outcome.choices)
    reason = models.CharField(max_length=300)
    target_micros = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["action", "position"], name="one_verdict_per_position")]

    def __str__(self) -> str:
        return f"{self.guardrail}: {self.get_outcome_display()}"


class Approval(UuidModel, TenantOwned):
    """A person's decision, bound to the digest of exactly what was shown."""

    class Decision(models.TextChoices):
        APPROVE = "approve", "Approved"
        REFUSE = "refuse", "Refused"

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="approvals")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decision = models.CharField(max_length=8, choices=Decision.choices)
    digest = models.CharField(max_length=64)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["action", "approver"], name="one_decision_per_person")]

    def __str__(self) -> str:
        return f"{self.get_decision_display()} by {self.approver}"


class Limits(UuidModel, TenantOwned):
    """The hard limits of a tenant. Without them every proposal is blocked. Money in micros of the tenant's
    currency, per ad set and day unless it says otherwise; ratios in millionths."""

    hard_daily_cap_micros = models.BigIntegerField(
        help_text="The most that all platforms together could spend in a day, over-delivery included."
    )
    daily_target_micros = models.BigIntegerField(help_text="Nominal budgets of a day together; for pacing.")
    step_up_ppm = models.PositiveIntegerField(default=200_000, help_text="Largest raise per decision.")
    step_down_ppm = models.PositiveIntegerField(default=300_000, help_text="Largest cut per decision.")
    floor_micros = models.BigIntegerField(help_text="Lowest daily budget of an ad set.")
    ceiling_micros = models.BigIntegerField(help_text="Highest daily budget of an ad set.")
    cooldown_hours = models.PositiveSmallIntegerField(default=6, help_text="Between two changes of an ad set.")
    freeze_roas_ppm = models.PositiveIntegerField(
        default=800_000, help_text="No raise while the ROAS of the last 24 hours is below this."
    )
    freeze_no_sale_hours = models.PositiveSmallIntegerField(
        default=24, help_text="No raise after so many hours without an order."
    )
    peak_hours = models.CharField(
        max_length=11,
        blank=True,
        help_text="Raises only in these local hours, for example 18-22. Empty: any.",
    )
    approval_above_ppm = models.PositiveIntegerField(
        default=100_000, help_text="A larger relative change waits for approval."
    )
    approval_above_micros = models.BigIntegerField(help_text="A larger change per day waits for approval.")
    approvals_required = models.PositiveSmallIntegerField(default=1)
    approval_hours = models.PositiveSmallIntegerField(default=6, help_text="Then it expires, unapproved.")
    canary_ad_sets = models.ManyToManyField(AdSet, blank=True, help_text="The pilot writes for these only.")
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "limits"
        constraints = [
            models.UniqueConstraint(fields=["tenant"], name="one_limits_per_tenant"),
            money_constraint("hard_daily_cap_micros"),
            money_constraint("daily_target_micros"),
            money_constraint("floor_micros"),
            money_constraint("ceiling_micros"),
            money_constraint("approval_above_micros"),
            models.CheckConstraint(
                condition=models.Q(ceiling_micros__gte=models.F("floor_micros")), name="ceiling_above_floor"
            ),
            models.CheckConstraint(condition=models.Q(step_down_ppm__lte=1_000_000), name="step_down_at_most_all"),
            models.CheckConstraint(condition=models.Q(approvals_required__gte=1), name="at_least_one_approval"),
        ]

    def __str__(self) -> str:
        return f"Limits of {self.tenant}"


class KillSwitch(models.Model):
    """Stops every write, of one tenant (`scope` is its id) or of all (`scope` is "all").

    Read through `automation.kill_switch`: a missing or unreadable row counts as engaged.
    """

    ALL = "all"

    scope = models.CharField(max_length=36, primary_key=True)
    is_engaged = models.BooleanField(default=False)
    reason = models.CharField(max_length=300, blank=True)
    changed_by = models.CharField(max_length=200, blank=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural = "kill switches"

    def __str__(self) -> str:
        return f"{self.scope}: {'STOP' if self.is_engaged else 'open'}"


class LogHead(models.Model):
    """The last entry of a tenant's log; its row lock orders the writers of one chain."""

    tenant = models.OneToOneField("accounts.Tenant", on_delete=models.PROTECT, primary_key=True)
    number = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return f"#{self.number}"


class LogEntry(UuidModel, TenantOwned):
    """One line of the action log: append-only (a trigger refuses the rest) and hash-chained per tenant."""

    number = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    event = models.CharField(max_length=40)
    actor = models.CharField(max_length=200)
    action = models.ForeignKey(Action, null=True, on_delete=models.PROTECT, related_name="log")
    from_state = models.CharField(max_length=20, blank=True)
    to_state = models.CharField(max_length=20, blank=True)
    details = models.JSONField(default=dict)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        verbose_name_plural = "action log"
        constraints = [models.UniqueConstraint(fields=["tenant", "number"], name="one_log_number_per_tenant")]

    def __str__(self) -> str:
        return f"#{self.number} {self.event}"
