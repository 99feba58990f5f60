"""What happened: orders and refunds, hourly metrics with their revisions, costs, and rewards."""

from __future__ import annotations

from django.db import models

from accounts.models import AdAccount, AdSet, Store, TenantOwned, UuidModel, money_constraint
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
    """Every value that an hour ever had, with the time it became known; append-only."""

    class Meta(HourFigures.Meta):
        ordering = ["hour", "known_at"]
        constraints = [
            *HourFigures.Meta.constraints,
            models.UniqueConstraint(fields=["ad_set", "hour", "known_at"], name="one_revision_per_time"),
        ]

    def __str__(self) -> str:
        return f"{self.ad_set_id} {self.hour:%Y-%m-%d %H:00} as of {self.known_at:%Y-%m-%d %H:%M}"


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
