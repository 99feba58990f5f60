"""What happened: orders and refunds, hourly metrics with their revisions, costs, and rewards."""

from __future__ import annotations

from django.db import models

from accounts.models import Ad, AdAccount, AdSet, Store, TenantOwned, UuidModel, money_constraint
from accounts.money import MAX_MICROS


class AttributionMethod(models.TextChoices):
    CLICK_ID = "click_id", "Click id"
    UTM = "utm", "UTM parameters"
    NONE = "none", "Not attributed"


class Order(UuidModel, TenantOwned):
    """An order at order time; refunds are booked at their own date. No personal data."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="orders")
    external_id = models.CharField(max_length=64)
    ordered_at = models.DateTimeField(db_index=True)
    platform_updated_at = models.DateTimeField()
    cancelled_at = models.DateTimeField(null=True, blank=True)
    is_test = models.BooleanField(default=False)
    is_paid = models.BooleanField()
    currency = models.CharField(max_length=3)
    total_micros = models.BigIntegerField()
    units = models.PositiveIntegerField()
    is_new_customer = models.BooleanField(null=True, blank=True)
    attribution_ready = models.BooleanField(default=False)
    utm_source = models.CharField(max_length=255, blank=True)
    utm_medium = models.CharField(max_length=255, blank=True)
    utm_campaign = models.CharField(max_length=255, blank=True)
    utm_content = models.CharField(max_length=255, blank=True)
    utm_term = models.CharField(max_length=255, blank=True)
    click_platform = models.CharField(max_length=16, blank=True)
    click_id = models.CharField(max_length=500, blank=True)
    ad_set = models.ForeignKey(AdSet, null=True, blank=True, on_delete=models.SET_NULL, related_name="orders")
    attribution = models.CharField(max_length=8, choices=AttributionMethod.choices, default=AttributionMethod.NONE)

    class Meta:
        ordering = ["-ordered_at"]
        constraints = [
            models.UniqueConstraint(fields=["store", "external_id"], name="one_order"),
            money_constraint("total_micros"),
        ]
        indexes = [
            models.Index(fields=["tenant", "ordered_at"]),
            models.Index(fields=["ad_set", "ordered_at"]),
        ]

    def __str__(self) -> str:
        return self.external_id

    @property
    def counts(self) -> bool:
        """Whether the order is revenue."""
        return self.is_paid and not self.is_test and self.cancelled_at is None


class OrderLine(TenantOwned):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    external_id = models.CharField(max_length=64)
    product_external_id = models.CharField(max_length=64, blank=True)
    variant_external_id = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=255, blank=True)
    quantity = models.PositiveIntegerField()
    unit_price_micros = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "external_id"], name="one_order_line"),
            money_constraint("unit_price_micros"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.title}"


class Refund(TenantOwned):
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="refunds")
    external_id = models.CharField(max_length=64)
    refunded_at = models.DateTimeField(db_index=True)
    amount_micros = models.BigIntegerField()

    class Meta:
        ordering = ["-refunded_at"]
        constraints = [
            models.UniqueConstraint(fields=["order", "external_id"], name="one_refund"),
            money_constraint("amount_micros"),
        ]

    def __str__(self) -> str:
        return self.external_id


class ProductCost(UuidModel, TenantOwned):
    """The cost of one unit from a date on, until the next row of the same product."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="product_costs")
    product_external_id = models.CharField(max_length=64)
    unit_cost_micros = models.BigIntegerField()
    effective_from = models.DateField()

    class Meta:
        ordering = ["product_external_id", "-effective_from"]
        constraints = [
            models.UniqueConstraint(
                fields=["store", "product_external_id", "effective_from"],
                name="one_cost_per_product_and_date",
            ),
            money_constraint("unit_cost_micros"),
        ]

    def __str__(self) -> str:
        return f"{self.product_external_id} from {self.effective_from}"


class HourFigures(TenantOwned):
    """Figures of one ad set in one hour; unknown is `NULL`, never 0."""

    ad_set = models.ForeignKey(AdSet, on_delete=models.CASCADE, related_name="+")
    hour = models.DateTimeField(help_text="UTC start of the hour.")
    spend_micros = models.BigIntegerField()
    impressions = models.BigIntegerField()
    clicks = models.BigIntegerField()
    conversions = models.BigIntegerField(null=True, blank=True)
    conversion_value_micros = models.BigIntegerField(null=True, blank=True)
    leads = models.BigIntegerField(null=True, blank=True, help_text="What counts for the campaign's objective.")
    known_at = models.DateTimeField(help_text="Business time at which these values became known.")

    class Meta:
        abstract = True
        constraints = [money_constraint("spend_micros"), money_constraint("conversion_value_micros")]


class HourlyMetric(HourFigures):
    """The current value of an hour: one row."""

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="hourly_metrics")

    class Meta(HourFigures.Meta):
        ordering = ["-hour"]
        constraints = [
            *HourFigures.Meta.constraints,
            models.UniqueConstraint(fields=["ad_set", "hour"], name="one_current_hour"),
        ]
        indexes = [models.Index(fields=["tenant", "hour"]), models.Index(fields=["ad_account", "hour"])]

    def __str__(self) -> str:
        return f"{self.ad_set_id} {self.hour:%Y-%m-%d %H:00}"


class HourlyMetricRevision(HourFigures):
    """A value that an hour had before it was restated, with the time it had become known; append-only.

    What was known of an hour at time T is the newest, by `known_at` ≤ T, among its revisions and its current
    row: `metrics.facts.hours_as_known`.
    """

    class Meta(HourFigures.Meta):
        ordering = ["hour", "known_at"]
        constraints = [
            *HourFigures.Meta.constraints,
            models.UniqueConstraint(fields=["ad_set", "hour", "known_at"], name="one_revision_per_time"),
        ]

    def __str__(self) -> str:
        return f"{self.ad_set_id} {self.hour:%Y-%m-%d %H:00} as of {self.known_at:%Y-%m-%d %H:%M}"


class AdDay(TenantOwned):
    """One ad's figures for one day of its account's calendar; `AdDayPurchases` holds what it is said to have sold."""

    ad = models.ForeignKey(Ad, on_delete=models.CASCADE, related_name="days")
    day = models.DateField(help_text="The account's own calendar day.")
    spend_micros = models.BigIntegerField()
    impressions = models.BigIntegerField()
    clicks = models.BigIntegerField()
    leads = models.BigIntegerField(null=True, blank=True)
    known_at = models.DateTimeField(help_text="Business time at which these values became known.")

    class Meta:
        ordering = ["-day"]
        constraints = [
            money_constraint("spend_micros"),
            models.UniqueConstraint(fields=["ad", "day"], name="one_ad_day"),
        ]
        indexes = [models.Index(fields=["tenant", "day"])]

    def __str__(self) -> str:
        return f"{self.ad} {self.day}"


class AdDayPurchases(TenantOwned):
    """Purchases that the platform claims for an ad and day, by attribution window such as "7d_click"."""

    ad = models.ForeignKey(Ad, on_delete=models.CASCADE, related_name="purchases")
    day = models.DateField()
    window = models.CharField(max_length=24)
    count = models.BigIntegerField()
    value_micros = models.BigIntegerField(null=True, blank=True)
    known_at = models.DateTimeField()

    class Meta:
        ordering = ["-day", "window"]
        verbose_name_plural = "ad day purchases"
        constraints = [
            money_constraint("value_micros"),
            models.UniqueConstraint(fields=["ad", "day", "window"], name="one_ad_day_window"),
        ]

    def __str__(self) -> str:
        return f"{self.ad} {self.day} {self.window}"


class Backfill(UuidModel, TenantOwned):
    """A past range of an ad account that is being read; `next_day` is where it goes on after an interruption."""

    class State(models.TextChoices):
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="backfills")
    first_day = models.DateField(help_text="First day to read, in the account's own calendar.")
    last_day = models.DateField(help_text="Last day to read, inclusive.")
    next_day = models.DateField(editable=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING, editable=False)
    problem = models.CharField(max_length=300, blank=True, editable=False)
    rows = models.BigIntegerField(default=0, editable=False, help_text="Hours that were new or had changed.")
    asked_by = models.CharField(max_length=150, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False, help_text="Until when a worker holds it.")
    accounted_to = models.DateTimeField(
        null=True, editable=False, help_text="How far a sync had computed the rewards when it was cut short."
    )
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(first_day__lte=models.F("last_day")), name="backfill_days_in_order"
            ),
            models.UniqueConstraint(
                fields=["ad_account", "first_day", "last_day"],
                condition=models.Q(state="running"),
                name="one_running_backfill",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ad_account}: {self.first_day} to {self.last_day}"

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1

    @property
    def days_done(self) -> int:
        return (self.next_day - self.first_day).days


class SyncedHour(TenantOwned):
    """Proof that an hour of an ad account was read whole: without its row the hour is missing."""

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="synced_hours")
    hour = models.DateTimeField()
    known_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ad_account", "hour"], name="one_synced_hour")]

    def __str__(self) -> str:
        return f"{self.ad_account} {self.hour:%Y-%m-%d %H:00}"


class StoreCoverage(TenantOwned):
    """From when to when a store's orders are known; orders outside are missing, not zero."""

    store = models.OneToOneField(Store, on_delete=models.CASCADE, related_name="coverage")
    known_from = models.DateTimeField()
    known_to = models.DateTimeField(help_text="Orders updated before this have been read.")

    def __str__(self) -> str:
        return f"{self.store}: {self.known_from:%Y-%m-%d %H:%M} to {self.known_to:%Y-%m-%d %H:%M}"


class Reward(TenantOwned):
    """What an ad set earned in an hour, with its parts, as computed at `computed_for` (a slot)."""

    ad_set = models.ForeignKey(AdSet, on_delete=models.CASCADE, related_name="rewards")
    hour = models.DateTimeField()
    currency = models.CharField(max_length=3)
    orders = models.PositiveIntegerField()
    revenue_micros = models.BigIntegerField()
    refunds_micros = models.BigIntegerField()
    spend_micros = models.BigIntegerField()
    cogs_micros = models.BigIntegerField(null=True, blank=True)
    profit_micros = models.BigIntegerField()
    lambda_ppm = models.BigIntegerField()
    reward_micros = models.BigIntegerField()
    computed_for = models.DateTimeField()

    class Meta:
        ordering = ["-hour"]
        constraints = [
            models.UniqueConstraint(fields=["ad_set", "hour"], name="one_reward_per_hour"),
            *[money_constraint(f"{name}_micros") for name in ("revenue", "refunds", "spend", "cogs")],
            *[money_constraint(f"{name}_micros", low=-MAX_MICROS) for name in ("profit", "reward")],
        ]
        indexes = [models.Index(fields=["tenant", "hour"])]

    def __str__(self) -> str:
        return f"{self.ad_set} {self.hour:%Y-%m-%d %H:00}"
