from __future__ import annotations

from django.db import models

from accounts.models.base import TenantOwned, UuidModel, money_constraint
from accounts.models.credentials import Credential, CredentialPlatform
from accounts.models.tenants import default_zone, validate_zone

AD_PLATFORMS = [choice for choice in CredentialPlatform.choices if choice[0] in ("meta", "tiktok")]


class RolloutStage(models.TextChoices):
    SHADOW = "shadow", "Shadow: never writes"
    PILOT = "pilot", "Pilot: writes for the canary list only"
    EXPAND = "expand", "Expand: writes for all ad sets"


class Status(models.TextChoices):
    ACTIVE = "active", "Active"
    PAUSED = "paused", "Paused"
    REMOVED = "removed", "Removed"


class BidStrategy(models.TextChoices):
    LOWEST_COST = "lowest_cost", "Lowest cost"
    BID_CAP = "bid_cap", "Bid cap"
    COST_CAP = "cost_cap", "Cost cap"
    MINIMUM_ROAS = "minimum_roas", "Minimum ROAS"


class Family(models.TextChoices):
    """Which family of the platform's endpoints speaks for an object (see `connectors.contracts.Family`)."""

    STANDARD = "standard", "Standard"
    SMART_PLUS = "smart_plus", "Smart+"
    GMV_MAX = "gmv_max", "GMV Max"


class AdAccount(UuidModel, TenantOwned):
    platform = models.CharField(max_length=16, choices=AD_PLATFORMS)
    external_id = models.CharField(max_length=64, help_text="Meta: act_…; TikTok: the advertiser id.")
    name = models.CharField(max_length=200)
    currency = models.CharField(max_length=3)
    timezone = models.CharField(max_length=64, default=default_zone, validators=[validate_zone])
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="ad_accounts")
    rollout_stage = models.CharField(
        max_length=8,
        choices=RolloutStage.choices,
        default=RolloutStage.SHADOW,
        help_text="How far automation may go on this account.",
    )
    minimum_daily_budget_micros = models.BigIntegerField(null=True, blank=True, editable=False)
    platform_status = models.CharField(max_length=64, blank=True, editable=False)
    spend_cap_micros = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text="The platform's own cap on the account's whole life."
    )
    spent_micros = models.BigIntegerField(null=True, blank=True, editable=False)
    reports_hours = models.BooleanField(
        default=True, editable=False, help_text="Off: the platform gives daily figures only; windows align to days."
    )
    is_active = models.BooleanField(default=True, help_text="Off: neither synced nor steered.")
    autopilot = models.BooleanField(
        default=False, help_text="Off: synced and shown, but no rule and no policy may change anything."
    )

    class Meta:
        ordering = ["platform", "name"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "platform", "external_id"], name="one_ad_account"),
            *[money_constraint(f"{name}_micros") for name in ("minimum_daily_budget", "spend_cap", "spent")],
        ]

    def __str__(self) -> str:
        return f"{self.get_platform_display()}: {self.name}"


class TreeNode(UuidModel, TenantOwned):
    """What campaigns, ad sets and ads have in common. `effective_status` is the platform's own text."""

    external_id = models.CharField(max_length=64)
    name = models.CharField(max_length=400)
    status = models.CharField(max_length=8, choices=Status.choices)
    effective_status = models.CharField(max_length=64, blank=True)
    family = models.CharField(max_length=16, choices=Family.choices, default=Family.STANDARD)
    seen_at = models.DateTimeField(help_text="When a sync last saw it on the platform.")

    class Meta:
        abstract = True
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Budgeted(TreeNode):
    """A node that may carry a budget; `None` means that the budget stands elsewhere."""

    daily_budget_micros = models.BigIntegerField(null=True, blank=True)
    lifetime_budget_micros = models.BigIntegerField(null=True, blank=True)
    bid_strategy = models.CharField(max_length=16, choices=BidStrategy.choices, blank=True)
    bid_micros = models.BigIntegerField(null=True, blank=True)
    target_roas_ppm = models.BigIntegerField(
        null=True, blank=True, help_text="The return that the platform bids for, in millionths."
    )

    class Meta(TreeNode.Meta):
        abstract = True
        constraints = [
            money_constraint(name) for name in ("daily_budget_micros", "lifetime_budget_micros", "bid_micros")
        ]


class Campaign(Budgeted):
    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="campaigns")
    objective = models.CharField(max_length=64, blank=True)
    store_external_id = models.CharField(
        max_length=64, blank=True, help_text="The TikTok Shop that a GMV Max campaign sells from."
    )

    class Meta(Budgeted.Meta):
        constraints = [
            *Budgeted.Meta.constraints,
            models.UniqueConstraint(fields=["ad_account", "external_id"], name="one_campaign"),
        ]


class AdSet(Budgeted):
    """The unit that carries a budget; TikTok's ad group."""

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="ad_sets")
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="ad_sets")
    in_learning = models.BooleanField(null=True, blank=True)

    class Meta(Budgeted.Meta):
        constraints = [
            *Budgeted.Meta.constraints,
            models.UniqueConstraint(fields=["ad_account", "external_id"], name="one_ad_set"),
        ]

    @property
    def key(self) -> str:
        """`platform:external id`, as canary lists name an ad set."""
        return f"{self.ad_account.platform}:{self.external_id}"


class Creative(UuidModel, TenantOwned):
    """What ads show: the platform's own texts, kept as data and never as markup."""

    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="creatives")
    external_id = models.CharField(max_length=64)
    name = models.CharField(max_length=400, blank=True)
    format = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=500, blank=True)
    body = models.CharField(max_length=500, blank=True)
    call_to_action = models.CharField(max_length=64, blank=True)
    link = models.CharField(max_length=500, blank=True)
    seen_at = models.DateTimeField(help_text="When a sync last saw it on the platform.")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["ad_account", "external_id"], name="one_creative")]

    def __str__(self) -> str:
        return self.name or self.external_id


class Ad(TreeNode):
    ad_account = models.ForeignKey(AdAccount, on_delete=models.CASCADE, related_name="ads")
    ad_set = models.ForeignKey(AdSet, on_delete=models.CASCADE, related_name="ads")
    creative = models.ForeignKey(Creative, null=True, blank=True, on_delete=models.SET_NULL, related_name="ads")

    class Meta(TreeNode.Meta):
        constraints = [models.UniqueConstraint(fields=["ad_account", "external_id"], name="one_ad")]
