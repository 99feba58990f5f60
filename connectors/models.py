"""What connectors keep between requests: rate budgets, logins on their way, news that arrived, uses of tokens."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from accounts.models import Credential, Store, TenantOwned, UuidModel
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
    subject = models.CharField(max_length=120, blank=True, help_text="What it is for: see `Credential.subject`.")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.get_platform_display()} login of {self.user}"


class Delivery(UuidModel, TenantOwned):
    """A webhook that a platform has pushed: the inbox. What it is about is read from the platform, not from its body.

    The body is not kept, only its digest and the ids that it names: bodies hold personal data.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="deliveries")
    topic = models.CharField(max_length=64, help_text="As in orders/create; of TikTok Shop the number of its type.")
    webhook_id = models.CharField(max_length=120, help_text="The platform's id of the delivery, the same on retries.")
    event_id = models.CharField(max_length=120, blank=True)
    body_sha256 = models.CharField(max_length=64)
    resource = models.CharField(max_length=120, blank=True, help_text="The id of the order, or of what it is about.")
    details = models.JSONField(default=dict, blank=True, help_text="Ids only.")
    triggered_at = models.DateTimeField(null=True, help_text="When it happened, as the platform says.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-created_at"]
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(fields=["store", "topic", "webhook_id"], name="one_delivery"),
            models.UniqueConstraint(fields=["store", "topic", "body_sha256"], name="one_delivery_of_a_body"),
        ]
        indexes = [models.Index(fields=["state", "store", "created_at"])]

    def __str__(self) -> str:
        return f"{self.topic} {self.resource}".strip()


class PrivacyRequest(UuidModel, TenantOwned):
    """What a platform asks for on behalf of a person or a shop, to be done within 30 days."""

    class Kind(models.TextChoices):
        EXPORT = "export", "Export a customer's data"
        REDACT_CUSTOMER = "redact_customer", "Erase a customer's data"
        REDACT_SHOP = "redact_shop", "Erase a shop"

    store = models.ForeignKey(Store, null=True, on_delete=models.SET_NULL, related_name="privacy_requests")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    shop = models.CharField(max_length=120, help_text="The shop's domain, as the request names it.")
    reference = models.CharField(max_length=64, blank=True, help_text="The platform's id of the request.")
    customer = models.CharField(max_length=64, blank=True, help_text="The platform's id of the customer.")
    orders = models.JSONField(default=list, blank=True, help_text="Ids of the orders that it names.")
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=300, blank=True)
    export = models.JSONField(null=True, blank=True, help_text="What was found, for the merchant to hand over.")

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.shop}"


class TokenUse(TenantOwned):
    """One use of a token: written before the request leaves, completed when its answer is there."""

    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="uses")
    at = models.DateTimeField()
    operation = models.CharField(max_length=200, help_text="Method and path.")
    outcome = models.CharField(max_length=64, blank=True, help_text="HTTP status or error; empty: no answer came.")

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["credential", "at"])]

    def __str__(self) -> str:
        return f"{self.operation} {self.outcome}".strip()
