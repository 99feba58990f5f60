"""Past ranges that are being read."""

from __future__ import annotations

from django.db import models

from accounts.models import AdAccount, Store, TenantOwned, UuidModel


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


class OrderBackfill(UuidModel, TenantOwned):
    """Past orders of a store that its platform hands out as one file; `orders_read` is where reading goes on."""

    class State(models.TextChoices):
        ASKED = "asked", "Asked for"
        RUNNING = "running", "The platform is collecting"
        READING = "reading", "Reading"
        DONE = "done", "Done"
        STOPPED = "stopped", "Stopped"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="order_backfills")
    created_from = models.DateTimeField(help_text="Orders created from then on.")
    created_to = models.DateTimeField()
    operation_id = models.CharField(max_length=120, blank=True, editable=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.ASKED, editable=False)
    orders_read = models.PositiveIntegerField(default=0, editable=False)
    objects_found = models.PositiveBigIntegerField(default=0, editable=False, help_text="As the platform counts.")
    problem = models.CharField(max_length=300, blank=True, editable=False)
    asked_by = models.CharField(max_length=150, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["store"],
                condition=models.Q(state__in=["asked", "running", "reading"]),
                name="one_living_order_backfill",
            )
        ]

    def __str__(self) -> str:
        return f"{self.store}: {self.created_from:%Y-%m-%d} to {self.created_to:%Y-%m-%d}"
