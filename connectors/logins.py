"""A person logs in at a platform: sent to its consent page, back with a code, and the code becomes a credential.

The `state` that travels is random, stored as its SHA-256 only, used once, and good for ten minutes in the
browser session that began the login. What comes back is hostile until its state has been used up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta

from django.contrib.admin.models import ADDITION
from django.db import transaction

from accounts.clock import wall_now
from accounts.models import Credential, Tenant, User
from accounts.models.credentials import CredentialPlatform
from accounts.permissions import CONFIGURE, require
from connectors import deadline
from connectors.connections import login_app
from connectors.contracts import Platform
from connectors.errors import ConnectorError
from connectors.grants import LoginError, names_of, note, renew
from connectors.login_contracts import Grant, OwnedAccount
from connectors.models import Login
from connectors.registry import login_provider

STATE_LIFE = timedelta(minutes=10)
# Long enough to tell somebody that a login has been used or is over.
KEPT = timedelta(days=1)
_CODE = re.compile(r"[\x21-\x7e]{1,4000}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform's redirect says; every text may come from anybody."""

    state: str = field(repr=False)
    code: str = field(repr=False)
    is_denied: bool


def begin_login(
    tenant: Tenant,
    platform: Platform,
    *,
    actor: User,
    browser_secret: str,
    redirect_uri: str,
    credential: Credential | None = None,
) -> str:
    """The address of the platform's consent page. With a `credential`, that one is to be renewed.

    Raises `PermissionDenied` for who may not configure the tenant, `ConfigurationError` where no app is set.
    """
    require(actor, CONFIGURE, tenant)
    if credential is not None and (credential.tenant_id, credential.platform) != (tenant.pk, platform):
        raise ValueError("expected a credential of this tenant and platform")
    provider = login_provider(login_app(platform))
    state, now = secrets.token_urlsafe(32), wall_now()
    purge_logins()
    Login.objects.create(
        tenant=tenant,
        platform=platform,
        user=actor,
        state_hash=_hash(state),
        browser_hash=_hash(browser_secret),
        credential=credential,
        expires_at=now + STATE_LIFE,
    )
    return provider.consent_url(redirect_uri=redirect_uri, state=state)


def purge_logins() -> int:
    """Forget the logins in scope that were over long ago; returns how many."""
    deleted, _ = Login.objects.filter(expires_at__lt=wall_now() - KEPT).delete()
    return deleted


def finish_login(
    platform: Platform, answer: Answer, *, actor: User, browser_secret: str, redirect_uri: str
) -> Credential:
    """Use the state up, exchange the code, and store what it gives: a new credential, or the renewed one.

    Raises `LoginError` (one clear text, nothing stored) and `PermissionDenied`. No database transaction is
    open while the platform is asked.
    """
    login = _use(platform, answer.state, actor=actor, browser_secret=browser_secret)
    require(actor, CONFIGURE, login.tenant)
    name = login.get_platform_display()
    if answer.is_denied:
        raise LoginError(f"{name} says that access was not granted, so nothing was connected.")
    if not _CODE.fullmatch(answer.code):
        raise LoginError(f"{name} sent no code that could be used, so nothing was connected.")
    try:
        app = login_app(platform)
        provider = login_provider(app)
        is_renewal = login.credential is not None

        def ask() -> tuple[Grant, list[OwnedAccount]]:
            grant = provider.exchange(answer.code, redirect_uri=redirect_uri)
            return grant, provider.owned_accounts(grant) if is_renewal else []

        grant, owned = deadline.within(deadline.EXCHANGE, ask, platform=platform)
    except ConnectorError as error:
        raise LoginError(f"{name} did not complete the login: {error}.") from error
    with transaction.atomic():
        if is_renewal:
            held = _still_there(login)
            opened = {account.external_id for account in owned}
            _check_opened(held, opened)
            renew(held, grant, app=app, actor=actor, opened=opened)
            return held
        credential: Credential = Credential.objects.create(
            tenant=login.tenant,
            platform=platform,
            label=f"Login of {actor}"[:100] + f", {wall_now():%Y-%m-%d %H:%M} UTC",
            app_id=app.app_id,
            app_secret=app.app_secret or None,
            access_token=grant.access_token,
            refresh_token=grant.refresh_token or None,
            expires_at=grant.expires_at,
        )
        note(actor, credential, f"Logged in at {name}.", flag=ADDITION)
        return credential


def _still_there(login: Login) -> Credential:
    """The credential that is to be renewed, locked and as it is now."""
    held: Credential | None = Credential.objects.select_for_update().filter(pk=login.credential_id).first()
    if held is None:
        raise LoginError("The login that this one was to take the place of was removed meanwhile.")
    return held


def _check_opened(credential: Credential, opened: set[str]) -> None:
    missing = [account for account in credential.ad_accounts.all() if account.external_id not in opened]
    if missing:
        raise LoginError(
            f"This login does not open {names_of(missing)}, so the stored one was kept: "
            "log in there as somebody who may manage it."
        )


def _use(platform: Platform, state: str, *, actor: User, browser_secret: str) -> Login:
    """The login of this state, used up by one conditional UPDATE; raises `LoginError` with the reason."""
    now, state_hash, browser_hash = wall_now(), _hash(state), _hash(browser_secret)
    mine = Login.objects.filter(state_hash=state_hash, platform=platform, user=actor, browser_hash=browser_hash)
    if mine.filter(used_at__isnull=True, expires_at__gt=now).update(used_at=now):
        found: Login = mine.select_related("tenant", "credential").get()
        return found
    name = CredentialPlatform(platform).label
    begun = Login.objects.filter(state_hash=state_hash, platform=platform).first()
    if begun is None:
        raise LoginError(f"This answer of {name} belongs to no login that was begun here.")
    if begun.user_id != actor.pk or begun.browser_hash != browser_hash:
        raise LoginError("This login was begun by somebody else, or in another browser.")
    if begun.used_at is not None:
        raise LoginError("This login has been used already: each works once.")
    raise LoginError("This login is older than ten minutes.")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
