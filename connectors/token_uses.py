"""Each use of a token that has to be audited is written down before the request leaves, and how it ended after."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from django.db import DatabaseError, IntegrityError

from accounts.clock import wall_now
from accounts.models import Credential
from accounts.scoping import tenant_scope
from connectors import deadline
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, ConnectorError
from connectors.http import Witness
from connectors.models import TokenUse

AUDITED = frozenset({Platform.TIKTOK_SHOP})
DONE = "done"

T = TypeVar("T")


def witness(credential: Credential) -> Witness:
    """Notes each use of the credential's token before the request leaves, and how it ended."""

    def begin(method: str, path: str) -> Callable[[str], None]:
        return _begun(credential, f"{method} {path}")

    return begin


def ask(credential: Credential, operation: str, call: Callable[[], T], *, seconds: float) -> T:
    """`deadline.within` with the credential's token; it is noted here, for the other thread must not."""
    platform = Platform(credential.platform)
    ended = _begun(credential, operation) if platform in AUDITED else None
    outcome = "failed"
    try:
        answer = deadline.within(seconds, call, platform=platform)
        outcome = DONE
    except ConnectorError as error:
        outcome = type(error).__name__
        raise
    finally:
        if ended is not None:
            ended(outcome)
    return answer


def note(credential: Credential, operation: str) -> None:
    """A use that had ended well before there was a row to note it on."""
    if credential.platform in AUDITED:
        _begun(credential, operation)(DONE)


def _begun(credential: Credential, operation: str) -> Callable[[str], None]:
    """Raises `ConfigurationError` where the credential is gone: a new login may have taken its place meanwhile.

    That the end cannot be noted costs no answer, which may be a token that is given once.
    """
    try:
        with tenant_scope(credential.tenant_id):
            use = TokenUse.objects.create(
                tenant_id=credential.tenant_id, credential_id=credential.pk, at=wall_now(), operation=operation[:200]
            )
    except IntegrityError as error:
        message = f"{credential.platform}: the login was removed or replaced meanwhile, nothing was sent"
        raise ConfigurationError(message, platform=credential.platform) from error

    def end(outcome: str) -> None:
        with suppress(DatabaseError), tenant_scope(credential.tenant_id):
            TokenUse.objects.filter(pk=use.pk).update(outcome=outcome[:64])

    return end
