"""Younger tokens for those that are about to expire, and a word to people where that does not work."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models.functions import Cast

from accounts.alerts import raise_alert, resolve_alert
from accounts.clock import wall_now
from accounts.encryption import EncryptedTextField, Sealed, seal
from accounts.login_states import NOT_RENEWED, RENEWED_BEFORE, URGENT
from accounts.models import Credential
from accounts.models.alerts import Severity
from accounts.scoping import all_tenants, tenant_scope
from connectors import deadline
from connectors.errors import (
    ConnectorError,
    MalformedReplyError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    TransientError,
)
from connectors.grants import alert_keys, grant_of, provider_of
from connectors.login_contracts import Grant
from connectors.registry import LOGINS

# The platform could not be asked: the token may well be fine.
PASSING = (TransientError, RateLimitedError, OutcomeUnknownError, NotSentError, MalformedReplyError)


def refresh_logins() -> int:
    """Renew every token that expires within ten days; returns how many credentials have a younger one.

    Credentials of one login hold the same token: it is renewed once for all of them, since on some platforms
    ending one of two tokens would end both.
    """
    now, renewed = wall_now(), 0
    for rows in _due(now):
        try:
            grant = _refreshed(rows[0])
        except ConnectorError as error:
            for row in rows:
                _note_failure(row, error, now)
            continue
        if grant is not None:
            renewed += _store(rows, grant)
    return renewed


def _refreshed(row: Credential) -> Grant | None:
    """Bounded, so that one token that hangs leaves the queue's time to the others."""
    provider, grant = provider_of(row), grant_of(row)
    return deadline.within(deadline.EXCHANGE, lambda: provider.refresh(grant), platform=provider.platform)


def _due(now: datetime) -> list[list[Credential]]:
    """The credentials whose tokens end soon, those of one token together."""
    with all_tenants():
        rows = Credential.objects.filter(
            platform__in=list(LOGINS),
            access_token__isnull=False,
            expires_at__lt=now + RENEWED_BEFORE,
            tenant__is_active=True,
        )
        due = list(rows.select_related("tenant").order_by("expires_at", "pk"))
    groups: dict[tuple[str, ...], list[Credential]] = defaultdict(list)
    for row in due:
        groups[_login_of(row)].append(row)
    return list(groups.values())


def _login_of(row: Credential) -> tuple[str, ...]:
    try:
        return row.platform, row.app_id, grant_of(row).access_token
    except ConnectorError:
        return (str(row.pk),)


def _store(rows: list[Credential], grant: Grant) -> int:
    """Each row by a conditional UPDATE, all or none of a login: two workers cannot share it between them."""
    done = []
    with all_tenants(), transaction.atomic():
        for row in rows:
            secrets = {"access_token": grant.access_token, "refresh_token": grant.refresh_token}
            sealed = {name: _sealed(row, name, text) for name, text in secrets.items() if text}
            if _unchanged(row).update(**sealed, expires_at=grant.expires_at, problem=""):
                done.append(row)
    for row in done:
        with tenant_scope(row.tenant):
            for key in alert_keys(row):
                resolve_alert(row.tenant, key=key)
    return len(done)


def _note_failure(row: Credential, error: ConnectorError, now: datetime) -> None:
    """Say on the credential and in an alert what went wrong, unless somebody has saved another token meanwhile."""
    text = f"{NOT_RENEWED}{error}" if isinstance(error, PASSING) else str(error)
    assert row.expires_at is not None
    left = row.expires_at - now
    with tenant_scope(row.tenant):
        if not _unchanged(row).update(problem=text[:300]):
            return
        name, when = row.get_platform_display(), f"{row.expires_at:%Y-%m-%d %H:%M} UTC"
        ends = f"expired at {when}" if left.total_seconds() <= 0 else f"expires at {when}"
        raise_alert(
            row.tenant,
            key=alert_keys(row)[1],
            severity=Severity.CRITICAL if left <= URGENT else Severity.WARNING,
            message=f"The {name} login {row.label!r} {ends} and could not be renewed: {error}. Connect it again.",
        )


def _unchanged(row: Credential) -> models.QuerySet[Any]:
    """The row, as long as it still holds the ciphertext that was read."""
    stored: Sealed = row.__dict__["access_token"]
    rows: models.QuerySet[Any] = Credential.objects.annotate(stored=Cast("access_token", models.TextField()))
    return rows.filter(pk=row.pk, stored=stored.text)


def _sealed(row: Credential, name: str, text: str) -> Sealed:
    field = Credential._meta.get_field(name)
    assert isinstance(field, EncryptedTextField)
    return seal(text, field.place(row))
