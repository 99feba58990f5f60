"""Stores on the logins that open them: connected, connected again, ended here and ended by the platform."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied

from accounts.clock import wall_now
from accounts.models import AdAccount, Alert, Credential, Store
from connectors import custom_apps
from connectors.connecting import connect_accounts
from connectors.contracts import Platform
from connectors.custom_apps import connect_token
from connectors.errors import AuthenticationError, TransientError
from connectors.grants import Ended, LoginError, disconnect, platform_ended
from connectors.models import TokenUse
from connectors.renewal import refresh_logins
from connectors.store_contracts import ShopRecord
from tests.connectors.fake_login import (
    CODE,
    SHOP,
    FakeLogin,
    begin,
    fake,
    finish,
    fresh,
    log_in_to_market,
    log_in_to_shop,
    market_shop,
    market_shops,
    shopify_shop,
    stored,
)
from tests.factories import House, make_house

__all__ = ["fake"]
pytestmark = pytest.mark.usefixtures("everywhere")


def shops(house: House) -> list[Store]:
    """The stores that a login has connected, without the one that the house began with."""
    return list(Store.objects.filter(tenant=house.tenant).exclude(pk=house.store.pk).order_by("external_id"))


def secrets_of(credential: Credential) -> tuple[Any, ...]:
    row = fresh(credential)
    return (row.access_token, row.refresh_token, row.app_secret)


def open_alerts() -> list[tuple[str, str]]:
    rows = Alert.objects.filter(resolved_at__isnull=True).order_by("created_at")
    return [(row.severity, row.message) for row in rows]


# --- Shopify -----------------------------------------------------------------------------------------


def test_a_shop_is_connected_by_the_login_itself(house: House, fake: FakeLogin) -> None:
    fake.expires_at, fake.refresh_ends = wall_now() + timedelta(hours=1), wall_now() + timedelta(days=90)
    credential = fresh(log_in_to_shop(house, fake))
    (store,) = shops(house)
    assert (store.platform, store.external_id, store.kind) == ("shopify", SHOP, "shop")
    assert (store.name, store.currency, store.timezone) == ("Some Shop", "EUR", "Europe/Berlin")
    assert (store.credential, store.is_active, store.uninstalled_at) == (credential, True, None)
    assert (credential.subject, credential.scopes) == (SHOP, "read_orders,read_products")
    assert (credential.refresh_token, credential.refresh_expires_at) == ("refresh-1", fake.refresh_ends)
    assert SHOP in credential.label and [app.subject for app in fake.apps] == [SHOP, SHOP]


def test_a_name_that_was_completed_is_what_the_way_back_is_compared_with(house: House, fake: FakeLogin) -> None:
    fake.platform, fake.accounts = Platform.SHOPIFY, [shopify_shop()]
    state = begin(house, Platform.SHOPIFY, subject="https://admin.shopify.com/store/some-shop")
    finish(house, state, platform=Platform.SHOPIFY, query=f"shop={SHOP}")
    assert [store.external_id for store in shops(house)] == [SHOP]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "shop=other.myshopify.com",
        "shop=Some-Shop.myshopify.com.evil.example",
        f"shop={SHOP}&shop=other.myshopify.com",
        f"shop=other.myshopify.com&shop={SHOP}",
        "shop=",
        f"shop%00={SHOP}",
    ],
)
def test_an_answer_for_another_shop_is_refused_before_the_code_is_used(
    house: House, fake: FakeLogin, query: str
) -> None:
    fake.platform, fake.accounts = Platform.SHOPIFY, [shopify_shop()]
    state = begin(house, Platform.SHOPIFY, subject=SHOP)
    with pytest.raises(LoginError, match="another shop"):
        finish(house, state, platform=Platform.SHOPIFY, query=query)
    assert (fake.issued, stored(house), shops(house)) == (0, 0, [])


def test_a_forged_answer_is_refused_and_its_state_is_used_up(house: House, fake: FakeLogin) -> None:
    fake.platform, fake.accounts = Platform.SHOPIFY, [shopify_shop()]
    state = begin(house, Platform.SHOPIFY, subject=SHOP)
    fake.is_forged = True
    for reason in ("not signed", "used already"):
        with pytest.raises(LoginError, match=reason):
            finish(house, state, platform=Platform.SHOPIFY, query=f"shop={SHOP}")
    assert (fake.issued, stored(house)) == (0, 0)


@pytest.mark.parametrize(
    "owned", [[], [shopify_shop("other.myshopify.com")], [shopify_shop(), shopify_shop("other.myshopify.com")]]
)
def test_a_token_that_opens_anything_but_that_shop_connects_nothing(
    house: House, fake: FakeLogin, owned: list[Any]
) -> None:
    fake.platform, fake.accounts = Platform.SHOPIFY, owned
    state = begin(house, Platform.SHOPIFY, subject=SHOP)
    with pytest.raises(LoginError, match="does not open"):
        finish(house, state, platform=Platform.SHOPIFY, query=f"shop={SHOP}")
    assert (stored(house), shops(house)) == (0, [])


def test_a_known_shop_is_connected_again_with_its_history(house: House, fake: FakeLogin) -> None:
    log_in_to_shop(house, fake)
    (store,) = shops(house)
    platform_ended(store, reason="the app was uninstalled")
    Store.objects.filter(pk=store.pk).update(timezone="Asia/Tokyo", subscribed_at=wall_now())
    log_in_to_shop(house, fake)
    (again,) = shops(house)
    assert again.pk == store.pk and again.credential.access_token == "token-2"
    assert (again.is_active, again.uninstalled_at, again.problem, again.subscribed_at) == (True, None, "", None)
    assert again.timezone == "Asia/Tokyo"  # hours were counted in it
    assert stored(house) == 1 and open_alerts() == []


def test_connecting_again_from_its_page_keeps_the_credential(house: House, fake: FakeLogin) -> None:
    credential = log_in_to_shop(house, fake)
    Credential.objects.filter(pk=credential.pk).update(problem="dead")
    assert log_in_to_shop(house, fake, credential=credential).pk == credential.pk
    row = fresh(credential)
    assert (row.access_token, row.problem, stored(house)) == ("token-2", "", 1)


def test_a_shop_that_the_house_had_on_another_credential_moves_to_the_login(house: House, fake: FakeLogin) -> None:
    log_in_to_shop(house, fake, house.store.external_id)
    store = fresh(house.store)
    assert store.credential.access_token == "token-1"
    assert fresh(house.account).credential.access_token == "t0ken"  # the ad account stays where it was


def test_two_tenants_connect_one_shop_and_end_it_apart(house: House, fake: FakeLogin) -> None:
    other = make_house("other")
    log_in_to_shop(house, fake)
    log_in_to_shop(other, fake)
    (ours,), (theirs,) = shops(house), shops(other)
    assert disconnect(ours, actor=house.owner) is Ended.SHARED  # Shopify would end the other one's token as well
    assert not fresh(ours).is_active and fresh(theirs).is_active
    assert fresh(theirs.credential).access_token == "token-2" and fake.revoked == []
    assert disconnect(theirs, actor=other.owner) is Ended.REVOKED
    assert fake.revoked == ["token-2"]


def test_a_shop_with_an_app_of_its_own_does_not_keep_the_other_app_installed(house: House, fake: FakeLogin) -> None:
    other = make_house("other")
    log_in_to_shop(house, fake)
    log_in_to_shop(other, fake)
    Credential.objects.filter(pk=shops(other)[0].credential_id).update(app_id="")
    assert disconnect(shops(house)[0], actor=house.owner) is Ended.REVOKED


# --- TikTok Shop -------------------------------------------------------------------------------------


def test_the_chosen_shops_of_one_login_share_its_credential(house: House, fake: FakeLogin) -> None:
    credential = log_in_to_market(house, fake, 1, 2, 3)
    assert shops(house) == []
    done = connect_accounts(credential, ["shop-1", "shop-2"], actor=house.owner)
    first, second = shops(house)
    assert [row.pk for row in done.added] == [first.pk, second.pk]
    assert first.credential_id == second.credential_id == credential.pk and stored(house) == 1
    assert (first.cipher, first.region, first.seller_type) == ("cipher-1", "GB", "LOCAL")
    assert (first.currency, first.timezone, first.kind) == ("GBP", "Europe/London", "shop")
    assert "and 1 more" in fresh(credential).label


def test_a_creator_is_a_store_of_its_own_kind(house: House, fake: FakeLogin) -> None:
    credential = log_in_to_market(house, fake, 7, subject="creator")
    connect_accounts(credential, ["shop-7"], actor=house.owner)
    assert [store.kind for store in shops(house)] == ["creator"] and fresh(credential).subject == "creator"


def test_a_shop_with_an_obstacle_is_not_connected_and_the_reason_is_told(house: House, fake: FakeLogin) -> None:
    credential = log_in_to_market(house, fake, 1)
    fake.accounts = [market_shop(1), market_shop(2, region="BR", obstacle="its market BR is not served.")]
    with pytest.raises(LoginError, match=r"Shop 2 cannot be connected: its market BR is not served\.$"):
        connect_accounts(credential, ["shop-1", "shop-2"], actor=house.owner)
    assert shops(house) == []


@pytest.mark.parametrize("values", [{"cipher": "x" * 201}, {"cipher": "a b"}, {"cipher": "\x00"}])
def test_a_hostile_cipher_is_refused(house: House, fake: FakeLogin, values: dict[str, str]) -> None:
    credential = log_in_to_market(house, fake)
    fake.accounts = [market_shop(1, **values)]
    with pytest.raises(LoginError, match="not one that can be stored"):
        connect_accounts(credential, ["shop-1"], actor=house.owner)


def test_a_login_as_somebody_else_than_was_chosen_is_refused(house: House, fake: FakeLogin) -> None:
    fake.speaks_for = "creator"
    with pytest.raises(LoginError, match="as creator, but seller_us was asked for"):
        log_in_to_market(house, fake, 1, subject="seller_us")
    fake.speaks_for = "seller"
    assert log_in_to_market(house, fake, 1, subject="seller_us").subject == "seller_us"


def test_a_second_login_takes_over_what_it_opens_and_the_notes_of_its_uses(house: House, fake: FakeLogin) -> None:
    first, second = market_shops(house, fake, 1, 2)
    uses = TokenUse.objects.count()
    later = log_in_to_market(house, fake, 1, 2)
    connect_accounts(later, ["shop-1"], actor=house.owner)
    assert {fresh(row).credential_id for row in (first, second)} == {later.pk} and stored(house) == 1
    assert TokenUse.objects.filter(credential=later).count() == uses + 2


def test_a_shop_that_the_second_login_does_not_open_keeps_the_first(house: House, fake: FakeLogin) -> None:
    first, second = market_shops(house, fake, 1, 2)
    later = log_in_to_market(house, fake, 1)
    connect_accounts(later, ["shop-1"], actor=house.owner)
    tokens = [fresh(row).credential.access_token for row in (first, second)]
    assert tokens == ["token-2", "token-1"]


def test_a_shop_that_was_switched_off_stays_so_when_its_neighbour_is_connected_again(
    house: House, fake: FakeLogin
) -> None:
    first, second = market_shops(house, fake, 1, 2)
    disconnect(first, actor=house.owner)
    log_in_to_market(house, fake, 2, credential=fresh(second.credential))
    assert (fresh(first).is_active, fresh(second).is_active) == (False, True)
    assert fresh(second.credential).access_token == "token-2"


def test_a_new_login_has_to_open_every_living_shop(house: House, fake: FakeLogin) -> None:
    (first, _) = market_shops(house, fake, 1, 2)
    with pytest.raises(LoginError, match="does not open Shop 2"):
        log_in_to_market(house, fake, 1, credential=fresh(first.credential))
    assert fresh(first.credential).access_token == "token-1"


def test_after_the_end_the_shops_that_are_still_there_come_back(house: House, fake: FakeLogin) -> None:
    first, second = market_shops(house, fake, 1, 2)
    disconnect(fresh(first.credential), actor=house.owner)
    with pytest.raises(LoginError, match="does not open"):
        log_in_to_market(house, fake, 3, credential=fresh(first.credential))
    log_in_to_market(house, fake, 2, credential=fresh(first.credential))
    assert (fresh(first).is_active, fresh(second).is_active) == (False, True)


# --- The end -----------------------------------------------------------------------------------------


def test_of_two_shops_the_first_goes_quietly_and_the_last_takes_the_token_along(house: House, fake: FakeLogin) -> None:
    first, second = market_shops(house, fake, 1, 2)
    assert disconnect(first, actor=house.owner) is Ended.SHARED
    assert (fresh(first).is_active, fresh(second).is_active) == (False, True)
    assert fresh(second.credential).access_token == "token-1" and fake.revoked == []
    assert disconnect(second, actor=house.owner) is Ended.REVOKED
    assert secrets_of(second.credential) == (None, None, None) and fake.revoked == ["token-1"]
    row = fresh(second.credential)
    assert (row.expires_at, row.refresh_expires_at, row.scopes) == (None, None, "")
    assert TokenUse.objects.filter(operation="end the login", outcome="done").count() == 1


def test_a_platform_that_cannot_be_told_does_not_keep_the_secrets(house: House, fake: FakeLogin) -> None:
    (store,) = market_shops(house, fake, 1)
    fake.failure = TransientError("down")
    assert disconnect(store, actor=house.owner) is Ended.UNREACHED
    assert secrets_of(store.credential) == (None, None, None)


def test_only_who_may_configure_connects_and_ends(house: House, fake: FakeLogin) -> None:
    credential = log_in_to_market(house, fake, 1)
    for actor in (house.approver, make_house("other").owner):
        with pytest.raises(PermissionDenied):
            connect_accounts(credential, ["shop-1"], actor=actor)
        with pytest.raises(PermissionDenied):
            disconnect(house.store, actor=actor)
        with pytest.raises(PermissionDenied):
            connect_token(house.tenant, SHOP, "shpat_some-token", "", actor=actor)
    assert fresh(house.store).is_active and shops(house) == []


def test_what_the_platform_ends_is_switched_off_erased_and_told_once(house: House, fake: FakeLogin) -> None:
    log_in_to_shop(house, fake)
    (store,) = shops(house)
    fake.in_transaction = []
    for _ in range(3):
        platform_ended(fresh(store), reason="the app was uninstalled")
    ended = fresh(store)
    assert (ended.is_active, ended.problem) == (
        False,
        "The app was uninstalled. Connect it again to have it read.",
    )
    assert ended.uninstalled_at and secrets_of(store.credential) == (None, None, None)
    assert open_alerts() == [
        ("critical", "Shopify no longer tells of Some Shop: the app was uninstalled. Connect it again.")
    ]
    assert Alert.objects.get().count == 1 and fake.in_transaction == []


def test_the_end_that_a_person_has_asked_for_alerts_nobody(house: House, fake: FakeLogin) -> None:
    log_in_to_shop(house, fake)
    (store,) = shops(house)
    disconnect(store, actor=house.owner)
    platform_ended(fresh(store), reason="the app was uninstalled")
    assert fresh(store).uninstalled_at and open_alerts() == []


def test_one_of_two_shops_that_the_platform_ends_leaves_the_other_its_token(house: House, fake: FakeLogin) -> None:
    first, second = market_shops(house, fake, 1, 2)
    platform_ended(first, reason="the seller withdrew the authorisation")
    assert not fresh(first).is_active and fresh(second).is_active
    assert fresh(second.credential).access_token == "token-1"
    platform_ended(second, reason="the seller withdrew the authorisation")
    assert secrets_of(second.credential) == (None, None, None)


def test_an_ended_login_is_neither_renewed_nor_alerted_of(house: House, fake: FakeLogin) -> None:
    fake.expires_at, fake.refresh_ends = wall_now() - timedelta(minutes=1), wall_now() + timedelta(days=5)
    log_in_to_shop(house, fake)
    (store,) = shops(house)
    platform_ended(store, reason="the app was uninstalled")
    assert refresh_logins() == 0 and fake.refreshed == [] and len(open_alerts()) == 1


# --- The token of a custom app -----------------------------------------------------------------------


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the shop answers to the token that was typed, and with what it was asked."""
    told: dict[str, Any] = {"domain": SHOP, "failure": None, "asked": []}

    class Client:
        def shop(self) -> ShopRecord:
            if told["failure"]:
                raise told["failure"]
            return ShopRecord("1", "Some Shop", told["domain"], "EUR", "Europe/Berlin")

    def made(store: Store) -> Client:
        told["asked"].append((store.external_id, store.credential.access_token))
        return Client()

    monkeypatch.setattr(custom_apps, "connect_store", made)
    return told


def test_a_shop_is_connected_by_a_token_that_it_takes(house: House, fake: FakeLogin, shop: dict[str, Any]) -> None:
    store = connect_token(house.tenant, "some-shop", "shpat_the-token", "the-app-secret", actor=house.owner)
    assert shop["asked"] == [(SHOP, "shpat_the-token")]
    row = fresh(store)
    assert (row.external_id, row.name, row.currency, row.timezone) == (SHOP, "Some Shop", "EUR", "Europe/Berlin")
    held = row.credential
    assert (held.access_token, held.app_secret, held.refresh_token) == ("shpat_the-token", "the-app-secret", None)
    assert (held.subject, held.app_id, held.expires_at) == (SHOP, "", None)
    told = str(list(LogEntry.objects.values()))
    assert "shpat_the-token" not in told and "the-app-secret" not in told


def test_a_token_that_the_shop_refuses_stores_nothing(house: House, fake: FakeLogin, shop: dict[str, Any]) -> None:
    shop["failure"] = AuthenticationError("shopify: Invalid API key or access token")
    with pytest.raises(LoginError, match="does not know this token") as refused:
        connect_token(house.tenant, SHOP, "shpat_the-token", "the-app-secret", actor=house.owner)
    assert (stored(house), shops(house)) == (0, []) and "the-token" not in str(refused.value)


def test_a_token_of_another_shop_stores_nothing(house: House, fake: FakeLogin, shop: dict[str, Any]) -> None:
    shop["domain"] = "other.myshopify.com"
    with pytest.raises(LoginError, match="opens another shop"):
        connect_token(house.tenant, SHOP, "shpat_the-token", "", actor=house.owner)
    assert (stored(house), shops(house)) == (0, [])


def test_a_new_token_takes_the_place_of_the_old_one(house: House, fake: FakeLogin, shop: dict[str, Any]) -> None:
    first = connect_token(house.tenant, SHOP, "shpat_the-first", "", actor=house.owner)
    second = connect_token(house.tenant, SHOP, "shpat_the-second", "", actor=house.owner)
    assert first.pk == second.pk and fresh(second).credential.access_token == "shpat_the-second"
    assert stored(house) == 1 and AdAccount.objects.count() == 1


def test_nothing_is_left_of_an_answer_that_came_too_late(house: House, fake: FakeLogin) -> None:
    fake.platform, fake.accounts = Platform.SHOPIFY, [shopify_shop()]
    state = begin(house, Platform.SHOPIFY, subject=SHOP)
    finish(house, state, platform=Platform.SHOPIFY, query=f"code={CODE}&shop={SHOP}")
    with pytest.raises(LoginError, match="used already"):
        finish(house, state, platform=Platform.SHOPIFY, query=f"code={CODE}&shop={SHOP}")
    assert len(shops(house)) == 1
