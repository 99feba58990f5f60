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
    problem = models.CharField(
        max_length=300, blank=True, editable=False, help_text="Why the platform refuses this credential."
    )

    class Meta:
        ordering = ["platform", "label"]

    def __str__(self) -> str:
        return f"{self.get_platform_display()}: {self.label}"


class Store(UuidModel, TenantOwned):
    """A shop that brings revenue."""

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

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["tenant", "platform", "external_id"], name="one_store")]

    def __str__(self) -> str:
        return self.name
