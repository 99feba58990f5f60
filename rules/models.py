"""What people said should happen."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from accounts.models import AdAccount, TenantOwned, UuidModel
from rules.actions import RuleActionError, parse_action
from rules.conditions import ConditionError, parse


class RiskLevel(models.TextChoices):
    LOW = "low", "Low"
    MEDIUM = "medium", "Medium"
    HIGH = "high", "High"


class AutomationMode(models.TextChoices):
    SUGGEST = "suggestions_only", "Suggestions only"
    AUTO_LOW = "auto_low_risk", "Automatic when low risk"
    AUTO_ALL = "auto_all", "Automatic (still guarded)"


class Rule(UuidModel, TenantOwned):
    """A condition over an ad set's windows and what to do when it is true."""

    name = models.CharField(max_length=120)
    sentence = models.CharField(max_length=300, blank=True, help_text="What it does, for people.")
    preset = models.CharField(max_length=60, blank=True, editable=False)
    ad_account = models.ForeignKey(
        AdAccount, null=True, blank=True, on_delete=models.CASCADE, help_text="Empty: all ad accounts."
    )
    condition = models.JSONField(help_text="A tree of all / any / not over comparisons of a metric in a window.")
    action = models.JSONField(help_text='For example {"kind": "scale_budget", "percent": 15}.')
    is_enabled = models.BooleanField(default=True)
    is_safety = models.BooleanField(default=False, help_text="Safety rules win over every other proposal.")
    priority = models.PositiveSmallIntegerField(
        default=50, validators=[MinValueValidator(1), MaxValueValidator(100)], help_text="1 wins over 100."
    )
    risk_level = models.CharField(max_length=6, choices=RiskLevel.choices, default=RiskLevel.MEDIUM)
    mode = models.CharField(max_length=16, choices=AutomationMode.choices, default=AutomationMode.SUGGEST)
    version = models.PositiveIntegerField(default=1, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["priority", "name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "name"], name="one_rule_name_per_tenant")]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            parse(self.condition)
        except ConditionError as error:
            raise ValidationError({"condition": str(error)}) from error
        try:
            parse_action(self.action)
        except RuleActionError as error:
            raise ValidationError({"action": str(error)}) from error
