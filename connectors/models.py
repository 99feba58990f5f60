"""What connectors keep between requests: the shared rate budgets, and logins on their way."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import Credential, TenantOwned, UuidModel
from accounts.models.credentials import CredentialPlatform


class RateBudget(models.Model):
    """One leaky bucket per platform account or app, shared by every process and host.

    Not of a tenant: two tenants that steer one ad account share its budget. Times are in microseconds since
    1970 by the database's own clock (wall time).
    """

    key = models.CharField(max_length=120, primary_key=True)
    free_at = models.BigIntegerField(help_text="When everything booked so far will have leaked away.")
    held_until = models.BigIntegerField(default=0, help_text="The platform said to stay away until then.")

    def __str__(self) -> str:
        return self.key


class Login(UuidModel, TenantOwned):
    """A login at a platform that a person has begun: single use, ten minutes, bound to one browser session."""

    platform = models.CharField(max_length=16, choices=CredentialPlatform.choices)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    state_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the state that was sent.")
    browser_hash = models.CharField(max_length=64, help_text="SHA-256 of a secret in the browser's session.")
    credential = models.ForeignKey(
        Credential,
        null=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text="The credential that is to be renewed; empty for a new connection.",
    )
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.get_platform_display()} login of {self.user}"
