from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command

from accounts.models import AdAccount, Credential, Store, Tenant
from accounts.money import MICROS
from automation.kill_switch import stop_reason
from automation.models import Limits
from tests.connectors.control import Control


def rows() -> dict[str, int]:
    return {model._meta.label: model._base_manager.count() for model in apps.get_models()}


@pytest.fixture
def variables(db: None, box: Control, platform_urls: None, settings: Any) -> dict[str, str]:
    given = box.get("credentials")
    settings.SINGLE_TENANT = dict.fromkeys(settings.SINGLE_TENANT, "") | {
        "SHOPIFY_STORE_DOMAIN": given["shopify"]["shop"],
        "SHOPIFY_ADMIN_TOKEN": given["shopify"]["access_token"],
        "META_AD_ACCOUNT_ID": given["meta"]["account_id"].removeprefix("act_"),
        "META_LONG_LIVED_TOKEN": given["meta"]["access_token"],
        "META_APP_ID": given["meta"]["app_id"],
        "META_APP_SECRET": given["meta"]["app_secret"],
        "TIKTOK_AD_ACCOUNT_ID": given["tiktok"]["advertiser_id"],
        "TIKTOK_ACCESS_TOKEN": given["tiktok"]["access_token"],
    }
    found: dict[str, str] = settings.SINGLE_TENANT
    return found


def connect() -> None:
    call_command("connect", stdout=StringIO())


def test_the_environment_connects_one_merchant_in_shadow(variables: dict[str, str], settings: Any) -> None:
    settings.DAILY_BUDGET_TARGET, settings.COGS_PER_UNIT = "250", "8.50"
    settings.LAMBDA_SPEND, settings.LAGRANGE_STEP = "0.1", "0.02"
    connect()
    tenant = Tenant.objects.get()
    assert (tenant.currency, tenant.timezone) == ("USD", "America/New_York")
    assert tenant.cogs_per_unit_micros == 8_500_000
    assert (tenant.lambda_spend_ppm, tenant.lagrange_step_ppm) == (100_000, 20_000)
    assert Limits.objects.get().daily_target_micros == 250 * MICROS
    assert set(AdAccount.objects.values_list("platform", "rollout_stage")) == {
        ("meta", "shadow"),
        ("tiktok", "shadow"),
    }
    assert Store.objects.count() == 1 and Credential.objects.count() == 3
    assert stop_reason(tenant.pk) == ""


def test_a_shop_is_stored_as_webhooks_and_logins_name_it(variables: dict[str, str]) -> None:
    variables["SHOPIFY_STORE_DOMAIN"] = (shop := variables["SHOPIFY_STORE_DOMAIN"]).title()
    connect()
    store = Store.objects.select_related("credential").get()
    assert (store.external_id, store.credential.subject) == (shop, shop)


def test_connecting_twice_is_refused(variables: dict[str, str]) -> None:
    connect()
    before = rows()
    with pytest.raises(CommandError, match="connected already"):
        connect()
    assert rows() == before


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("META_LONG_LIVED_TOKEN", "", "expected both META_AD_ACCOUNT_ID and META_LONG_LIVED_TOKEN"),
        ("META_LONG_LIVED_TOKEN", "wrong", "meta"),
        ("TIKTOK_ACCESS_TOKEN", "wrong", "tiktok"),
        ("SHOPIFY_ADMIN_TOKEN", "wrong", "shopify"),
        ("SHOPIFY_STORE_DOMAIN", "evil.example.com", "shop"),
        ("META_AD_ACCOUNT_ID", "1", "meta"),
    ],
)
def test_a_bad_key_gets_one_clear_line_and_stores_nothing(
    variables: dict[str, str], name: str, value: str, message: str
) -> None:
    variables[name] = value
    before = rows()
    with pytest.raises(CommandError, match=message) as caught:
        connect()
    assert "\n" not in str(caught.value) and (not value or len(value) < 6 or value not in str(caught.value))
    assert rows() == before


def test_an_amount_that_is_none_stores_nothing(variables: dict[str, str], settings: Any) -> None:
    settings.COGS_PER_UNIT = "cheap"
    before = rows()
    with pytest.raises(CommandError, match="COGS_PER_UNIT: expected an amount"):
        connect()
    assert rows() == before


def test_no_variables_no_merchant(db: None, settings: Any) -> None:
    settings.SINGLE_TENANT = dict.fromkeys(settings.SINGLE_TENANT, "")
    with pytest.raises(CommandError, match="expected a store and at least one ad account"):
        connect()
