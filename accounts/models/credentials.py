from __future__ import annotations

from django.db import models

from accounts.encryption import EncryptedTextField
from accounts.models.base import TenantOwned, UuidModel
from accounts.models.tenants import default_zone, validate_zone


class CredentialPlatform(models.TextChoices):
    META = "meta", "Meta"
    TIKTOK = "tiktok", "TikTok"
    SHOPIFY = "shopify", "Shopify"
    TIKTOK_SHOP = "tiktok_shop", "TikTok Shop"


class Credential(UuidModel, TenantOwned):
    """What opens one connection. Secrets are sealed; the app id is not a secret."""

    platform = models.CharField(max_length=16, choices=CredentialPlatform.choices)
    label = models.CharField(max_length=120)
    app_id = models.CharField(max_length=120, blank=True)
    app_secret = EncryptedTextField(null=True, blank=True)
    access_token = EncryptedTextField(null=True, blank=True)
    refresh_token = EncryptedTextField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    refresh_expires_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Until when the platform lets us renew the token."
    )
    renewing_until = models.DateTimeField(
        null=True, editable=False, help_text="Until when one worker is renewing the token: tokens rotate."
    )
    subject = models.CharField(
        max_length=120,
        blank=True,
        editable=False,
        help_text="Whom it speaks for: a Shopify host; at TikTok Shop seller, seller_us or creator.",
    )
    scopes = models.CharField(max_length=1000, blank=True, editable=False, help_text="What the platform granted.")
    problem = models.CharField(
        max_length=300, blank=True, editable=False, help_text="Why the platform refuses this credential."
    )

    class Meta:
        ordering = ["platform", "label"]

    def __str__(self) -> str:
        return f"{self.get_platform_display()}: {self.label}"


class StoreKind(models.TextChoices):
    SHOP = "shop", "Shop"
    CREATOR = "creator", "Creator"


class Store(UuidModel, TenantOwned):
    """What brings revenue: a shop, or a creator on TikTok Shop, who has commissions and no orders.

    `is_active` off: neither read nor told of. What stands in `problem` says what to do next.
    """

    platform = models.CharField(
        max_length=16,
        choices=[choice for choice in CredentialPlatform.choices if choice[0] in ("shopify", "tiktok_shop")],
    )
    external_id = models.CharField(max_length=64, help_text="Shopify: the myshopify.com domain.")
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    timezone = models.CharField(max_length=64, default=default_zone, validators=[validate_zone])
    credential = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="stores")
    is_active = models.BooleanField(default=True)
    kind = models.CharField(max_length=8, choices=StoreKind.choices, default=StoreKind.SHOP, editable=False)
    region = models.CharField(max_length=8, blank=True, editable=False, help_text="TikTok Shop's market, such as GB.")
    seller_type = models.CharField(max_length=24, blank=True, editable=False)
    cipher = models.CharField(
        max_length=200, blank=True, editable=False, help_text="How TikTok Shop's requests name this shop."
    )
    problem = models.CharField(
        max_length=300, blank=True, editable=False, help_text="Why it cannot be read, and what to do."
    )
    notice = models.CharField(
        max_length=300, blank=True, editable=False, help_text="What is worth knowing about its figures."
    )
    subscribed_at = models.DateTimeField(
        null=True, editable=False, help_text="When the platform was last told where to push news."
    )
    uninstalled_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "platform", "external_id"], name="one_store")]
        indexes = [models.Index(fields=["platform", "external_id"])]  # webhooks name no tenant

    def __str__(self) -> str:
        return self.name
