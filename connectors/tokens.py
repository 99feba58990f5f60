"""Tokens that age by the hour or week, renewed when they are needed."""

from __future__ import annotations

import time
from datetime import datetime

from accounts.clock import wall_now
from accounts.models import Credential
from accounts.scoping import all_tenants
from connectors.errors import AuthenticationError, ConnectorError, TransientError
from connectors.renewal import NEAR, PASSING, renew_token, sharing, tell_failure

PATIENCE = 5.0  # seconds that one waits for the worker who is renewing the token
PAUSE = 0.1


def fresh(credential: Credential) -> Credential:
    """The credential with a token that lasts a while yet: renewed here where ten minutes or less are left.

    One worker asks the platform; the others go on with a token that still lives, or wait for the new one. Raises
    `AuthenticationError` for a login that is over, and `TransientError` where nobody gets an answer in time.
    """
    until, row = time.monotonic() + PATIENCE, credential
    while _is_near(row, now := wall_now()):
        row = _as_stored(credential)
        if not _is_near(row, now) or row.__dict__["refresh_token"] is None:
            return row
        if _is_renewed(row, now):
            return _as_stored(credential)
        if _lives(row, now):
            return row
        if time.monotonic() > until:
            raise TransientError(f"{row.platform}: another worker is renewing the token", platform=row.platform)
        time.sleep(PAUSE)
    return row


def younger(credential: Credential, since: datetime) -> Credential | None:
    """The credential as it is stored, where that may open what has just been refused; `None` where it is really over.

    Of a reading that has begun at `since` with this credential, the token may have been replaced, or have run out.
    """
    row = _as_stored(credential)
    is_other = row.__dict__["access_token"] != credential.__dict__["access_token"]
    has_run_out = not _is_near(row, since) and _is_near(row, wall_now())
    return row if is_other or has_run_out else None


def _is_renewed(row: Credential, now: datetime) -> bool:
    """Whether this worker has renewed the token. A failure that passes is none while the token lives."""
    rows = sharing(row)
    try:
        return bool(renew_token(rows))
    except ConnectorError as error:
        if not isinstance(error, PASSING):
            tell_failure(rows, error)
            raise
        if not _lives(row, now):
            raise
        return False


def _is_near(row: Credential, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now + NEAR


def _lives(row: Credential, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at > now


def _as_stored(credential: Credential) -> Credential:
    with all_tenants():
        row: Credential | None = Credential.objects.select_related("tenant").filter(pk=credential.pk).first()
    if row is None or row.__dict__["access_token"] is None:
        raise AuthenticationError(
            f"{credential.platform}: the login was ended meanwhile: connect it again", platform=credential.platform
        )
    return row
