"""From a stored account or a setting to a client, and to the rate budget that it shares."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.models import AdAccount, Credential
from accounts.scoping import all_tenants
from connectors import connections
from connectors.connections import connect_ad_account, pace_of
from connectors.contracts import Platform
from connectors.errors import ConfigurationError, RateLimitedError
from connectors.login_apps import login_app
from connectors.models import RateBudget
from connectors.rate_budget import SharedBudget
from connectors.registry import Connection, login_provider
from tests.connectors.control import Control
from tests.factories import House

pytestmark = pytest.mark.usefixtures("quick_retries")
BOTH = pytest.mark.parametrize("platform", [Platform.META, Platform.TIKTOK])


def shared(platform: Platform, external_id: str, app_id: str = "") -> SharedBudget:
    pace = pace_of(platform, external_id, app_id)
    assert isinstance(pace, SharedBudget)
    return pace


def test_metas_budget_is_of_one_ad_account_and_a_write_costs_three(settings: Any) -> None:
    settings.META_RATE_SCORE = 60
    pace = shared(Platform.META, "act_7", "app")
    assert (pace.key, pace.size, pace.seconds) == ("meta 7", 60, 300)
    assert (pace.read_cost, pace.write_cost, pace.spare) == (1, 3, 10)
    assert shared(Platform.META, "7").key == pace.key


def test_tiktoks_budget_is_of_the_app_whose_advertisers_share_it(settings: Any) -> None:
    settings.TIKTOK_QPS = 10
    pace = shared(Platform.TIKTOK, "7", "app")
    assert (pace.key, pace.size, pace.seconds) == ("tiktok app", 10, 1)
    assert (pace.read_cost, pace.write_cost, pace.spare) == (1, 1, 1)
    assert shared(Platform.TIKTOK, "8", "app").key == pace.key
    assert shared(Platform.TIKTOK, "8").key == "tiktok 8"


def test_stores_have_no_budget_of_ours() -> None:
    assert pace_of(Platform.SHOPIFY, "acme.myshopify.com", "") is None


def test_a_key_is_never_longer_than_its_column() -> None:
    assert len(shared(Platform.TIKTOK, "7", "x" * 120).key) <= 120


@pytest.mark.parametrize(("platform", "setting", "size"), [("meta", "META_RATE_SCORE", 2), ("tiktok", "TIKTOK_QPS", 0)])
def test_a_budget_that_leaves_nothing_to_write_is_refused(
    settings: Any, platform: str, setting: str, size: int
) -> None:
    setattr(settings, setting, size)
    with pytest.raises(ConfigurationError, match=setting):
        pace_of(Platform(platform), "7", "")


@pytest.fixture
def account(house: House, sandbox: Control, settings: Any, platform: Platform) -> AdAccount:
    """An account of the house that is one of the sandbox's."""
    own = sandbox.get("credentials")[platform]
    setattr(settings, f"{platform.upper()}_BASE_URL", sandbox.url)
    with all_tenants():
        secrets = {name: own[name] for name in ("app_id", "app_secret", "access_token")}
        credential = Credential.objects.create(tenant=house.tenant, platform=platform, label="own", **secrets)
        house.account.platform, house.account.credential = platform, credential
        house.account.external_id = own.get("account_id") or own["advertiser_id"]
        house.account.save()
    return house.account


@BOTH
@pytest.mark.usefixtures("everywhere")
def test_what_an_account_is_asked_is_booked_on_its_budget(account: AdAccount, platform: Platform) -> None:
    connect_ad_account(account).account()
    counted = account.external_id.removeprefix("act_") if platform is Platform.META else account.credential.app_id
    assert [row.key for row in RateBudget.objects.all()] == [f"{platform} {counted}"]


@BOTH
@pytest.mark.usefixtures("everywhere")
def test_an_account_that_is_held_is_not_asked(account: AdAccount, platform: Platform) -> None:
    shared(platform, account.external_id, account.credential.app_id).hold(900)
    with pytest.raises(RateLimitedError, match="nothing was sent") as caught:
        connect_ad_account(account).account()
    assert caught.value.retry_after == pytest.approx(900, abs=60)


@BOTH
def test_the_login_app_comes_from_the_settings(settings: Any, platform: Platform) -> None:
    settings.LOGIN_APPS = {
        "meta": {"app_id": "12", "app_secret": "s3cr3t-of-meta"},
        "tiktok": {"app_id": "34", "app_secret": "s3cr3t-of-tiktok"},
    }
    app = login_app(platform)
    assert (app.platform, app.app_id) == (platform, settings.LOGIN_APPS[platform]["app_id"])
    assert app.dialog_url == getattr(settings, f"{platform.upper()}_DIALOG_URL")
    assert "s3cr3t" not in repr(app)
    assert login_provider(app).consent_url(redirect_uri="https://x/", state="s").startswith(app.dialog_url)


@pytest.mark.parametrize("platform", list(Platform))
@pytest.mark.parametrize("missing", [0, 1])
def test_a_login_app_that_is_not_set_up_is_told_in_one_line(settings: Any, platform: Platform, missing: int) -> None:
    pair = ["12", "s3cr3t-of-an-app"]
    pair[missing] = ""
    settings.LOGIN_APPS = {platform: dict(zip(("app_id", "app_secret"), pair, strict=True))}
    names = settings.LOGIN_APP_SETTINGS[platform]
    with pytest.raises(ConfigurationError, match=f"set {names[0]} and {names[1]}$"):
        login_app(platform)


@pytest.mark.parametrize("subject", ["seller", "seller_us", "creator"])
def test_each_kind_of_tiktok_shop_login_has_a_page_of_its_own(settings: Any, subject: str) -> None:
    settings.LOGIN_APPS = {"tiktok_shop": {"app_id": "12", "app_secret": "s3cr3t-of-an-app"}}
    settings.TIKTOK_SHOP_SERVICE_ID = "34"
    settings.TIKTOK_SHOP_DIALOG_URLS = {kind: f"https://{kind}.example" for kind in ("seller", "seller_us", "creator")}
    app = login_app(Platform.TIKTOK_SHOP, subject=subject)
    assert (app.dialog_url, app.subject, app.service_id) == (f"https://{subject}.example", subject, "34")
    assert (app.base_url, app.api_url) == (settings.TIKTOK_SHOP_AUTH_URL, settings.TIKTOK_SHOP_BASE_URL)


@pytest.mark.parametrize("is_whole", [True, False])
@pytest.mark.usefixtures("everywhere")
def test_whether_ad_groups_are_written_whole_is_a_setting(
    house: House, settings: Any, monkeypatch: pytest.MonkeyPatch, is_whole: bool
) -> None:
    settings.TIKTOK_FULL_UPDATE = is_whole
    made: list[Connection] = []
    monkeypatch.setattr(connections, "ad_platform", made.append)
    connect_ad_account(house.account)
    assert [connection.full_update for connection in made] == [is_whole]
