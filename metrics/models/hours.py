"""What an ad platform says of each hour and day, and what was known when."""

from __future__ import annotations

from django.db import models

from accounts.models import Ad, AdAccount, AdSet, TenantOwned, money_constraint
from accounts.money import MAX_MICROS


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


class SyncedHour(TenantOwned):
    """Proof that an hour of an ad account was read whole: without its row the hour is missing."""

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="synced_hours")
    hour = models.DateTimeField()
    known_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["ad_account", "hour"], name="one_synced_hour")]

    def __str__(self) -> str:
        return f"{self.ad_account} {self.hour:%Y-%m-%d %H:00}"


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
