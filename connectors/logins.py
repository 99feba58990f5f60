"""A person logs in at a platform: sent to its consent page, back with a code, and the code becomes a credential.

The `state` that travels is random, stored as its SHA-256 only, used once, and good for ten minutes in the
browser session that began the login. What comes back is hostile until its state has been used up.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import parse_qsl

from django.contrib.admin.models import ADDITION
from django.db import IntegrityError, transaction

from accounts.clock import wall_now
from accounts.models import Credential, Tenant, User
from accounts.models.credentials import CredentialPlatform
from accounts.permissions import CONFIGURE, require
from connectors import deadline, token_uses
from connectors.advice import next_step
from connectors.connecting import put
from connectors.contracts import Platform
from connectors.errors import ConnectorError
from connectors.grants import Connection, LoginError, connections_of, has_token, names_of, note, renew, values_of
from connectors.login_apps import login_app
from connectors.login_contracts import Grant, LoginApp, LoginProvider, OwnedAccount
from connectors.models import Login
from connectors.registry import STORES, login_provider
from connectors.subjects import SubjectError, speaks_for, subject_of

STATE_LIFE = timedelta(minutes=10)
# Long enough to tell somebody that a login has been used or is over.
KEPT = timedelta(days=1)
# A login that is for one shop from the beginning: nothing is left to be chosen.
AT_ONCE = frozenset({Platform.SHOPIFY})
_CODE = re.compile(r"[\x21-\x7e]{1,4000}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the platform's redirect says, and its `query` as it came; every text may come from anybody."""

    state: str = field(repr=False)
    code: str = field(repr=False)
    is_denied: bool
    query: str = field(default="", repr=False)


def begin_login(
    tenant: Tenant,
    platform: Platform,
    *,
    actor: User,
    browser_secret: str,
    redirect_uri: str,
    credential: Credential | None = None,
    subject: str = "",
) -> str:
    """The address of the platform's consent page. With a `credential`, that one is to be renewed.

    `subject` is what a person typed or chose (`connectors.subjects`), checked before anything else happens.
    Raises `PermissionDenied` for who may not configure the tenant, `LoginError` for a subject that is none, and
    `ConfigurationError` where no app is set.
    """
    require(actor, CONFIGURE, tenant)
    if credential is not None and (credential.tenant_id, credential.platform) != (tenant.pk, platform):
        raise ValueError("expected a credential of this tenant and platform")
    try:
        subject = subject_of(platform, subject)
    except SubjectError as error:
        raise LoginError(str(error)) from error
    provider = login_provider(login_app(platform, subject=subject))
    state, now = secrets.token_urlsafe(32), wall_now()
    url = provider.consent_url(redirect_uri=redirect_uri, state=state)
    purge_logins()
    Login.objects.create(
        tenant=tenant,
        platform=platform,
        user=actor,
        state_hash=_hash(state),
        browser_hash=_hash(browser_secret),
        credential=credential,
        subject=subject,
        expires_at=now + STATE_LIFE,
    )
    return url


def purge_logins() -> int:
    """Forget the logins in scope that were over long ago; returns how many."""
    deleted, _ = Login.objects.filter(expires_at__lt=wall_now() - KEPT).delete()
    return deleted


def finish_login(
    platform: Platform, answer: Answer, *, actor: User, browser_secret: str, redirect_uri: str
) -> Credential:
    """Use the state up, exchange the code, and store what it gives: a new credential, or the renewed one.

    A login that was for one shop connects it, too. Raises `LoginError` (one clear text, nothing stored) and
    `PermissionDenied`. No database transaction is open while the platform is asked.
    """
    login = _use(platform, answer.state, actor=actor, browser_secret=browser_secret)
    require(actor, CONFIGURE, login.tenant)
    name = login.get_platform_display()
    if answer.is_denied:
        raise LoginError(f"{name} says that access was not granted, so nothing was connected.")
    if not _CODE.fullmatch(answer.code):
        raise LoginError(f"{name} sent no code that could be used, so nothing was connected.")
    try:
        app = login_app(platform, subject=login.subject)
        provider = login_provider(app)
        _check_answer(login, provider, answer.query)
        grant, owned = _exchange(login, provider, answer.code, redirect_uri)
    except ConnectorError as error:
        told = f"{name} did not complete the login: {error}. {next_step(error)}"
        raise LoginError(told.strip()) from error
    if grant.subject and speaks_for(grant.subject) != speaks_for(login.subject):
        told = f"{name} gave access as {grant.subject}, but {login.subject} was asked for"
        raise LoginError(f"{told}: start again and log in there as the right one, or choose the other.")
    try:
        with transaction.atomic():
            keep = _store if login.credential is None else _renew
            return keep(login, grant, owned, app, actor)
    except IntegrityError as error:
        raise LoginError("Somebody connected the same meanwhile: look at the lists, and log in again.") from error


def _check_answer(login: Login, provider: LoginProvider, query: str) -> None:
    """The platform's signature, and that it speaks of the shop that was asked for."""
    provider.check_callback(query)
    if login.platform != Platform.SHOPIFY:
        return
    shops = [value for key, value in parse_qsl(query, keep_blank_values=True) if key == "shop"]
    if shops != [login.subject]:
        raise LoginError(f"Shopify answered for another shop than {login.subject}, so nothing was connected.")


def _exchange(login: Login, provider: LoginProvider, code: str, redirect_uri: str) -> tuple[Grant, list[OwnedAccount]]:
    """The grant, and what it opens where that must be known before it is stored."""
    is_listed = login.credential is not None or provider.platform in AT_ONCE

    def call() -> tuple[Grant, list[OwnedAccount]]:
        grant = provider.exchange(code, redirect_uri=redirect_uri)
        return grant, provider.owned_accounts(grant) if is_listed else []

    if login.credential is None:
        return deadline.within(deadline.EXCHANGE, call, platform=provider.platform)
    return token_uses.ask(login.credential, "log in and list what it opens", call, seconds=deadline.EXCHANGE)


def _store(login: Login, grant: Grant, owned: list[OwnedAccount], app: LoginApp, actor: User) -> Credential:
    credential: Credential = Credential.objects.create(
        tenant=login.tenant,
        platform=login.platform,
        label=f"Login of {actor}"[:100] + f", {wall_now():%Y-%m-%d %H:%M} UTC",
        **values_of(grant, app),
    )
    name = login.get_platform_display()
    note(actor, credential, f"Logged in at {name}.", flag=ADDITION)
    token_uses.note(credential, "log in")
    if app.platform in AT_ONCE:
        if [account.external_id for account in owned] != [login.subject]:
            raise LoginError(f"{name} does not open {login.subject} to this login, so nothing was connected.")
        put(credential, owned, grant, app, actor, opened={login.subject})
    return credential


def _renew(login: Login, grant: Grant, owned: list[OwnedAccount], app: LoginApp, actor: User) -> Credential:
    held = _still_there(login)
    opened = {account.external_id: account for account in owned}
    rows, was_ended = connections_of(held), not has_token(held)
    _check_opened(rows, opened, was_ended=was_ended)
    renew(held, grant, app=app, actor=actor, opened=opened)
    back = [row.external_id for row in rows if row.is_active or was_ended]
    if app.platform in STORES:
        put(held, [opened[one] for one in back if one in opened], grant, app, actor, opened=set(opened))
    return held


def _check_opened(rows: list[Connection], opened: Collection[str], *, was_ended: bool) -> None:
    """What is switched on has to be opened; of what has been ended, some may be gone on the platform."""
    wanted = [row for row in rows if row.is_active] or rows
    missing = [row for row in wanted if row.external_id not in opened]
    if missing and not (was_ended and len(missing) < len(wanted)):
        raise LoginError(
            f"This login does not open {names_of(missing)}, so the stored one was kept: "
            "log in there as somebody who may manage it."
        )


def _still_there(login: Login) -> Credential:
    """The credential that is to be renewed, locked and as it is now."""
    held: Credential | None = Credential.objects.select_for_update().filter(pk=login.credential_id).first()
    if held is None:
        raise LoginError("The login that this one was to take the place of was removed meanwhile.")
    return held


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
