"""From the consent page of the sandbox to connected ad accounts and back out, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from accounts.clock import wall_now
from accounts.models import AdAccount, Credential
from connectors.connecting import connect_accounts
from connectors.connections import connect_ad_account
from connectors.contracts import Platform
from connectors.errors import AuthenticationError
from connectors.grants import Ended, LoginError, disconnect, grant_of, owned_accounts, provider_of
from connectors.logins import Answer, begin_login, finish_login
from connectors.renewal import refresh_logins
from connectors.sandbox.server import running_sandbox
from tests.connectors.control import Control
from tests.factories import House

pytestmark = pytest.mark.usefixtures("everywhere", "quick_retries")

BACK = "http://bursar.example/admin/connect/{platform}/callback/"
BOTH = pytest.mark.parametrize("platform", [Platform.META, Platform.TIKTOK])


@pytest.fixture
def box(settings: Any) -> Iterator[Control]:
    with running_sandbox(seed=7, days=2, tenants=2, accounts=2) as running:
        control = Control(running.url)
        for name in ("META", "TIKTOK"):
            setattr(settings, f"{name}_BASE_URL", control.url)
            setattr(settings, f"{name}_DIALOG_URL", control.url)
        given = control.get("credentials")
        settings.LOGIN_APPS = {name: given[name] for name in ("meta", "tiktok")}
        yield control


def consent(url: str, allow: int = 1) -> Answer:
    """What the first person of the sandbox answers, as the browser brings it back."""
    location = httpx.get(f"{url}&tenant=0&allow={allow}", trust_env=False).headers["Location"]
    told = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
    return Answer(told.get("state", ""), told.get("auth_code") or told.get("code", ""), "error" in told)


def log_in(house: House, platform: Platform, allow: int = 1, **values: Any) -> Credential:
    shared: dict[str, Any] = {
        "actor": house.owner,
        "browser_secret": "browser",
        "redirect_uri": BACK.format(platform=platform),
    }
    answer = consent(begin_login(house.tenant, platform, **shared, **values), allow)
    return finish_login(platform, answer, **shared)


def connect_all(house: House, credential: Credential) -> list[AdAccount]:
    ids = [account.external_id for account in owned_accounts(credential)]
    return connect_accounts(credential, ids, actor=house.owner).added


@BOTH
def test_two_accounts_are_connected_and_the_token_ends_with_the_last(
    house: House, box: Control, platform: Platform
) -> None:
    credential = log_in(house, platform)
    grant, provider = grant_of(credential), provider_of(credential)
    first, second = connect_all(house, credential)
    told = box.get("credentials")[platform]
    assert {first.external_id, second.external_id} == set(
        told["account_ids" if platform == "meta" else "advertiser_ids"]
    )
    for row in (first, second):
        record = connect_ad_account(row).account()
        assert (record.name, record.currency, record.timezone) == (row.name, row.currency, row.timezone)
        assert (row.rollout_stage, row.autopilot) == ("shadow", False)
    assert disconnect(first, actor=house.owner) is Ended.SHARED
    assert len(provider.owned_accounts(grant)) == 2
    assert disconnect(second, actor=house.owner) is Ended.REVOKED
    with pytest.raises(AuthenticationError):
        provider.owned_accounts(grant)


def test_a_person_who_says_no_connects_nothing(house: House, box: Control) -> None:
    with pytest.raises(LoginError, match="not granted"):
        log_in(house, Platform.META, allow=0)  # TikTok's page has no such answer
    assert not Credential.objects.exclude(label="demo").exists()


@BOTH
def test_a_dead_token_is_replaced_by_a_new_login(house: House, box: Control, platform: Platform) -> None:
    first, second = connect_all(house, log_in(house, platform))
    box.post("token", platform=platform, access_token=first.credential.access_token, revoke=True)
    with pytest.raises(AuthenticationError):
        connect_ad_account(first).account()
    log_in(house, platform, credential=first.credential)
    for row in (first, second):
        assert connect_ad_account(AdAccount.objects.get(pk=row.pk)).account().external_id == row.external_id


def test_metas_tokens_are_long_lived_and_renewed_before_they_end(house: House, box: Control) -> None:
    first, second = connect_all(house, log_in(house, Platform.META))
    credential = Credential.objects.get(pk=first.credential_id)
    assert credential.expires_at > wall_now() + timedelta(days=50)
    assert refresh_logins() == 0
    Credential.objects.filter(platform="meta").exclude(label="demo").update(expires_at=wall_now() + timedelta(days=3))
    assert refresh_logins() == 2
    tokens = {AdAccount.objects.get(pk=row.pk).credential.access_token for row in (first, second)}
    assert len(tokens) == 1 and credential.access_token not in tokens
    assert connect_ad_account(AdAccount.objects.get(pk=first.pk)).account().external_id == first.external_id


def test_tiktoks_tokens_do_not_end(house: House, box: Control) -> None:
    (row, _) = connect_all(house, log_in(house, Platform.TIKTOK))
    assert Credential.objects.get(pk=row.credential_id).expires_at is None
