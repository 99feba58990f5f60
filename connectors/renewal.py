"""Younger tokens for those that end: asked for by one worker at a time, stored everywhere at once, and a word to
people where that does not work."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models.functions import Cast

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.encryption import Sealed
from accounts.login_states import LOGIN_ENDS_NOW, LOGIN_ENDS_SOON, NOT_RENEWED, RENEWED_BEFORE, URGENT
from accounts.models import Credential
from accounts.models.alerts import Severity
from accounts.scoping import all_tenants, tenant_scope
from connectors import deadline, token_uses
from connectors.errors import (
    AuthenticationError,
    ConnectorError,
    MalformedReplyError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
)
from connectors.grants import alert_keys, app_of, grant_of, holders, provider_of, token_if_readable, values_of
from connectors.login_contracts import Grant

# The platform could not be asked: the token may well be fine, and may be asked for with the same refresh token again.
PASSING = (TransientError, RateLimitedError, OutcomeUnknownError, NotSentError, MalformedReplyError)
# Longer than an exchange may take: whoever holds it then is dead.
LEASE = timedelta(seconds=60)
# Less is left of a token than one page of a sync may take.
NEAR = timedelta(minutes=10)
assert LEASE.total_seconds() > deadline.EXCHANGE


def refresh_logins() -> int:
    """Renew every token that is due (`RENEWED_BEFORE`); returns how many credentials have a younger one.

    Tells people, too, which logins are about to end for good.
    """
    now, renewed, seen = wall_now(), 0, set()
    for row in _due(now):
        if row.pk in seen:
            continue
        rows = sharing(row)
        seen |= {one.pk for one in rows}
        try:
            renewed += renew_token(rows)
        except ConnectorError as error:
            tell_failure(rows, error)
    _tell_ends(now)
    return renewed


def _due(now: datetime) -> list[Credential]:
    ending = models.Q()
    for platform, before in RENEWED_BEFORE.items():
        ending |= models.Q(platform=platform, expires_at__lt=now + before)
    # Meta renews a token by itself, the others by what came with it.
    renewable = models.Q(platform="meta") | models.Q(refresh_token__isnull=False)
    with all_tenants():
        rows = Credential.objects.filter(ending, renewable, access_token__isnull=False, tenant__is_active=True)
        return list(rows.select_related("tenant").order_by("expires_at", "pk"))


def sharing(row: Credential) -> list[Credential]:
    """The credentials of whatever tenant that hold the row's token, itself among them, in one fixed order."""
    token = token_if_readable(row)
    with all_tenants():
        return (holders(row.platform, token) if token else []) or [row]


def renew_token(rows: list[Credential]) -> int:
    """Ask for a younger token for the `rows` that hold one; returns how many hold it now.

    None does where another worker is at it, or where the token was replaced meanwhile. Raises `ConnectorError`.
    """
    first, now = rows[0], wall_now()
    lease = now + LEASE
    free = models.Q(renewing_until__isnull=True) | models.Q(renewing_until__lt=now)
    with all_tenants():
        if not _unchanged(first).filter(free).update(renewing_until=lease):
            return 0
    try:
        grant = _younger(first)
        return _store(first, grant) if grant is not None else 0
    finally:
        with all_tenants():
            Credential.objects.filter(pk=first.pk, renewing_until=lease).update(renewing_until=None)


def _younger(row: Credential) -> Grant | None:
    """Bounded, so that one token that hangs leaves the queue's time to the others."""
    ends = row.refresh_expires_at
    if ends is not None and ends <= wall_now():
        raise AuthenticationError(
            f"{row.platform}: the login ended at {ends:%Y-%m-%d %H:%M} UTC: connect it again", platform=row.platform
        )
    with all_tenants():
        provider, grant = provider_of(row), grant_of(row)
    return token_uses.ask(row, "renew the token", lambda: provider.refresh(grant), seconds=deadline.EXCHANGE)


def _store(first: Credential, grant: Grant) -> int:
    """In every row that holds the old token by now, or in none: two workers cannot share it between them."""
    with all_tenants(), transaction.atomic():
        values = values_of(grant, app_of(first))
        kept = ("refresh_token", "refresh_expires_at", "scopes")  # what the answer leaves out stays
        values = {name: value for name, value in values.items() if value or name not in kept}
        for name in ("app_id", "app_secret", "subject"):
            del values[name]
        old = token_if_readable(first)
        found = [row.pk for row in sharing(first)]
        rows = Credential.objects.select_for_update().filter(pk__in=found).order_by("pk")
        done = [row for row in rows if token_if_readable(row) == old]
        for row in done:
            for name, value in values.items():
                setattr(row, name, value)
            row.save(update_fields=list(values))
    for row in done:
        with tenant_scope(row.tenant_id):
            _resolve(row)
    return len(done)


def _resolve(row: Credential) -> None:
    dead, not_renewed, ending = alert_keys(row)
    resolve_alert(row.tenant, key=dead)
    resolve_alert(row.tenant, key=not_renewed)
    if row.refresh_expires_at and row.refresh_expires_at > wall_now() + LOGIN_ENDS_SOON:
        resolve_alert(row.tenant, key=ending)


def tell_failure(rows: list[Credential], error: ConnectorError) -> None:
    """Say on the credentials and in alerts what went wrong, unless somebody has saved another token meanwhile.

    A platform that could not be asked is worth an alert only when the time left for it gets short.
    """
    is_passing, now = isinstance(error, PASSING), wall_now()
    text = f"{NOT_RENEWED}{error}" if is_passing else str(error)
    for row in rows:
        ends = (row.refresh_expires_at if is_passing else None) or row.expires_at or now
        with tenant_scope(row.tenant_id):
            if not _unchanged(row).update(problem=text[:300]) or (is_passing and ends > now + LOGIN_ENDS_SOON):
                continue
            verb = "expired" if ends <= now else "expires"
            is_over = not is_passing and ends <= now + NEAR
            raise_alert(
                row.tenant,
                key=alert_keys(row)[0 if is_over else 1],
                severity=Severity.CRITICAL if ends - now <= URGENT else Severity.WARNING,
                message=f"The {row.get_platform_display()} login {row.label!r} {verb} at {ends:%Y-%m-%d %H:%M} UTC "
                f"and could not be renewed: {error}. Connect it again.",
            )


def _tell_ends(now: datetime) -> None:
    """Alerts about logins that no renewal keeps alive for much longer."""
    with all_tenants():
        rows = Credential.objects.filter(
            refresh_expires_at__lt=now + LOGIN_ENDS_SOON, access_token__isnull=False, tenant__is_active=True
        )
        ending = list(rows.select_related("tenant"))
    for row in ending:
        ends = row.refresh_expires_at
        assert ends is not None
        verb = "ended" if ends <= now else "ends"
        with tenant_scope(row.tenant_id):
            raise_alert(
                row.tenant,
                key=alert_keys(row)[2],
                severity=Severity.CRITICAL if ends - now <= LOGIN_ENDS_NOW else Severity.WARNING,
                message=f"The {row.get_platform_display()} login {row.label!r} {verb} at {ends:%Y-%m-%d %H:%M} UTC, "
                "and cannot be renewed beyond that. Connect it again.",
            )


def _unchanged(row: Credential) -> models.QuerySet[Any]:
    """The row, as long as it still holds the ciphertext that was read."""
    stored: Sealed = row.__dict__["access_token"]
    rows: models.QuerySet[Any] = Credential.objects.annotate(stored=Cast("access_token", models.TextField()))
    return rows.filter(pk=row.pk, stored=stored.text)
