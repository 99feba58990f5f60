from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models.base import TenantOwned, UuidModel


class ApiScope(models.TextChoices):
    READ = "read", "Read everything of the tenant"
    PROPOSE = "propose", "Propose changes"
    STOP = "stop", "Engage the kill switch"


class ApiKey(UuidModel, TenantOwned):
    """A partner's key, bound to one tenant. Only its SHA-256 is stored; the key is shown once."""

    name = models.CharField(max_length=120)
    prefix = models.CharField(max_length=16, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, editable=False)
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, editable=False, related_name="+"
    )

    class Meta:
        ordering = ["name"]
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotentRequest(UuidModel, TenantOwned):
    """The answer kept for an `Idempotency-Key`; `status_code` is empty while the request is in flight."""

    key = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status_code = models.PositiveSmallIntegerField(null=True)
    body = models.JSONField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["tenant", "key"], name="one_answer_per_idempotency_key")]

    def __str__(self) -> str:
        return self.key
