"""A Shopify shop on the token of an app that its owner made for it, typed in by hand: no login, no renewal."""

from __future__ import annotations

from django.contrib.admin.models import ADDITION
from django.db import IntegrityError, transaction

from accounts.models import Credential, Store, Tenant, User
from accounts.permissions import CONFIGURE, require
from connectors import connecting, deadline
from connectors.advice import next_step
from connectors.connections import connect_store
from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConnectorError
from connectors.grants import LoginError, note
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.subjects import SubjectError, subject_of


def connect_token(tenant: Tenant, shop: str, access_token: str, app_secret: str, *, actor: User) -> Store:
    """Connect the shop; `app_secret` is what its webhooks are signed with, and may be empty.

    The shop is asked who it is before anything is stored. Raises `LoginError` or `PermissionDenied`.
    """
    require(actor, CONFIGURE, tenant)
    try:
        host = subject_of(Platform.SHOPIFY, shop)
    except SubjectError as error:
        raise LoginError(str(error)) from error
    held = Credential(tenant=tenant, platform=Platform.SHOPIFY, label=host, subject=host)
    held.access_token, held.app_secret = access_token, app_secret or None
    found = _asked(held, host)
    grant, app = Grant(access_token, subject=host), LoginApp(Platform.SHOPIFY, "", "", "", "", app_secret, host)
    try:
        with transaction.atomic():
            held.save()
            note(actor, held, "Its token was typed in.", flag=ADDITION)
            done = connecting.put(held, [found], grant, app, actor, opened={host})
    except IntegrityError as error:
        raise LoginError("Somebody connected this shop meanwhile: look at the list of stores.") from error
    store: Store = (done.added + done.renewed)[0]
    return store


def _asked(held: Credential, host: str) -> OwnedAccount:
    """The shop in its own words."""
    store = Store(tenant=held.tenant, platform=held.platform, external_id=host, credential=held)
    try:
        client = connect_store(store)
        record = deadline.within(deadline.LISTING, client.shop, platform=Platform.SHOPIFY)
    except ConnectorError as error:
        raise LoginError(_told(host, error)) from error
    if record.domain.lower() != host:
        raise LoginError(f"The token opens another shop than {host}.")
    return OwnedAccount(host, record.name, record.currency, record.timezone, "")


def _told(host: str, error: ConnectorError) -> str:
    if isinstance(error, AuthenticationError):
        step = "copy it again from the app's page in Shopify's admin, and install the app if that has not been done"
        return f"{host} does not know this token: {step}."
    return f"{host} did not take the token: {error}. {next_step(error)}".strip()
