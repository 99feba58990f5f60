from __future__ import annotations

import zoneinfo
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models

from accounts.models.base import UuidModel, money_constraint
from accounts.scoping import TenantManager


def validate_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"expected an IANA time zone such as America/New_York, got {name[:40]!r}")


def default_zone() -> str:
    return str(settings.DEFAULT_TIME_ZONE)


class User(AbstractUser):
    """A person. Rights come from memberships (see `accounts.permissions`), not from Django's groups."""

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Tenant(UuidModel):
    """A merchant; owns everything below it. Ratios are stored in millionths (`_ppm`)."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(unique=True)
    currency = models.CharField(max_length=3, default="USD", help_text="ISO 4217 code of reports and caps.")
    timezone = models.CharField(max_length=64, default=default_zone, validators=[validate_zone])
    is_active = models.BooleanField(default=True)
    cogs_per_unit_micros = models.BigIntegerField(
        null=True,
        blank=True,
        verbose_name="cost of goods per unit",
        help_text="Fallback where a product has no dated cost of its own, in micros.",
    )
    lambda_spend_ppm = models.BigIntegerField(
        default=0,
        verbose_name="spend sensitivity",
        help_text="λ: extra cost of one unit of spend in the reward, in millionths.",
    )
    lagrange_step_ppm = models.BigIntegerField(
        default=10_000,
        verbose_name="Lagrange step",
        help_text="How fast λ moves towards the daily target, in millionths.",
    )
    lambda_day = models.DateField(null=True, blank=True, editable=False, help_text="Day that last moved λ.")

    objects: TenantManager[Any] = TenantManager("id")

    class Meta:
        ordering = ["name"]
        constraints = [money_constraint("cogs_per_unit_micros")]

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer: sees everything"
    BUYER = "buyer", "Media buyer: proposes changes"
    APPROVER = "approver", "Approver: approves and refuses"
    OWNER = "owner", "Owner: configures, releases the kill switch"


class Membership(models.Model):
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.VIEWER)

    objects: TenantManager[Any] = TenantManager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "user"], name="one_membership_per_tenant")]

    def __str__(self) -> str:
        return f"{self.user} in {self.tenant}: {self.get_role_display()}"
