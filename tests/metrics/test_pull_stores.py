"""Pulling stores: the first time, with a longer past, when there is nothing, and when something fails."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.clock import wall_now
from accounts.hours import HOUR
from accounts.models import AdAccount, Alert, Credential, Store
from connectors import tokens
from connectors.advice import next_step
from connectors.errors import AuthenticationError, ConnectorError, NotFoundError, PermissionDeniedError
from metrics import order_backfill, pull
from metrics.models import Order, OrderBackfill, ProductCost, StoreCoverage
from metrics.sync import SyncCounts
from tests.factories import House
from tests.metrics.stores import NOON, BulkShop, hourly_orders, order
from tests.metrics.test_products import product

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def shop(house: House, everywhere: None, monkeypatch: pytest.MonkeyPatch) -> BulkShop:
    """The one source of the tenant."""
    AdAccount.objects.update(is_active=False)
    found = BulkShop()
    monkeypatch.setattr(pull, "connect_store", lambda store: found)
    monkeypatch.setattr(order_backfill, "PAUSE", 0)
    return found


def pulled(house: House, *, as_of: Any = NOON, history: timedelta | None = None) -> pull.Pulled:
    return pull.pull(house.tenant, as_of=as_of, history=history)


def shown() -> tuple[str, str]:
    texts: tuple[str, str] = Store.objects.values_list("problem", "notice").get()
    return texts


@pytest.mark.parametrize(("platform", "days"), [("shopify", 30), ("tiktok_shop", 90)])
def test_a_first_pull_reads_as_far_back_as_the_platform_is_asked_for(
    house: House, shop: BulkShop, platform: str, days: int
) -> None:
    Store.objects.update(platform=platform)
    assert pulled(house).problems == []
    assert shop.asked[0][0] == NOON - days * DAY
    assert StoreCoverage.objects.get().known_from == NOON - days * DAY


def test_no_orders_in_the_period_is_known_and_said_until_there_are_some(house: House, shop: BulkShop) -> None:
    pulled(house)
    assert StoreCoverage.objects.get().known_to == NOON
    problem, notice = shown()
    assert problem == "" and "30 days" in notice
    shop.records = [order(at=NOON + timedelta(minutes=20))]
    pulled(house, as_of=NOON + HOUR)
    assert shown() == ("", "")


def test_a_store_that_cannot_be_read_says_what_to_do_until_it_can(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = PermissionDeniedError("no scope", platform="shopify", code="ACCESS_DENIED")

    def refused() -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(shop, "shop", refused)
        assert len(pulled(house).problems) == 1
    assert shown()[0] == next_step(error)[:300] != ""
    pulled(house)
    assert shown()[0] == ""


def test_a_reading_that_outlasts_its_token_goes_on_with_a_younger_one(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    connected: list[Store] = []

    def connect(store: Store) -> BulkShop:
        connected.append(store)
        if len(connected) == 1:  # its token is refused after 55 minutes of reading
            monkeypatch.setattr(tokens, "wall_now", lambda: wall_now() + timedelta(minutes=55))
            raise AuthenticationError("HTTP status 401", platform="shopify")
        if len(connected) == 2:  # its token has been replaced by somebody else meanwhile
            monkeypatch.setattr(tokens, "wall_now", wall_now)
            row = Credential.objects.get(pk=store.credential_id)
            row.access_token = "the younger one"
            row.save()
            raise AuthenticationError("HTTP status 401", platform="shopify")
        return shop

    Credential.objects.update(expires_at=wall_now() + timedelta(minutes=60))
    monkeypatch.setattr(pull, "connect_store", connect)
    assert pulled(house).problems == [] and len(connected) == 3
    assert not Alert.objects.exists()


def test_a_login_that_is_over_is_tried_once(house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[Store] = []

    def refused(store: Store) -> BulkShop:
        connected.append(store)
        raise AuthenticationError("HTTP status 401", platform="shopify")

    monkeypatch.setattr(pull, "connect_store", refused)
    for minutes in (60, 5, -60):
        Credential.objects.update(expires_at=wall_now() + timedelta(minutes=minutes))
        assert len(pulled(house).problems) == 1
    assert len(connected) == 3 and Alert.objects.get().severity == "critical"


def test_products_and_their_costs_come_with_the_orders(house: House, shop: BulkShop) -> None:
    shop.listed = [product(4)]
    pulled(house)
    assert ProductCost.objects.get().unit_cost_micros == 4_000_000


def test_a_creator_has_commissions_and_no_orders(house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.objects.update(kind="creator", platform="tiktok_shop")
    asked: list[Any] = []

    def sync_creator(store: Store, client: Any, *, as_of: Any, counts: SyncCounts) -> dict[str, ConnectorError]:
        asked.append((client, as_of))
        return {}

    monkeypatch.setattr(pull, "connect_creator", lambda store: "creator")
    monkeypatch.setattr(pull, "sync_creator", sync_creator)
    assert pulled(house).problems == []
    assert asked == [("creator", NOON)]
    assert shop.asked == [] and not StoreCoverage.objects.exists()


def test_what_else_a_marketplace_tells_is_read_and_its_failure_is_told_after_all_else(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync_marketplace(store: Store, client: Any, *, as_of: Any, counts: SyncCounts) -> dict[str, ConnectorError]:
        return {"payments": NotFoundError("no payments here")}

    monkeypatch.setattr(pull, "Marketplace", BulkShop)
    monkeypatch.setattr(pull, "sync_marketplace", sync_marketplace)
    shop.records = [order(at=NOON - HOUR)]
    (problem,) = pulled(house).problems
    assert "no payments here" in problem
    assert Order.objects.exists() and StoreCoverage.objects.exists() and shown()[0] != ""


# --- a longer past ----------------------------------------------------------------------------------------


def test_a_longer_past_is_read_as_one_file_and_then_what_changed_since(house: House, shop: BulkShop) -> None:
    shop.records = hourly_orders(48)
    shop.patience = 2
    assert pulled(house, history=60 * DAY).problems == []
    assert Order.objects.count() == 48
    assert StoreCoverage.objects.values_list("known_from", "known_to").get() == (NOON - 60 * DAY, NOON)
    assert OrderBackfill.objects.get().state == "done"
    assert [start for start, _ in shop.asked] == [NOON - timedelta(minutes=10)]


@pytest.mark.parametrize(("platform", "days"), [("shopify", 3), ("tiktok_shop", 90)])
def test_a_first_pull_of_a_few_days_reads_no_less_than_the_platforms_first_pull(
    house: House, shop: BulkShop, platform: str, days: int
) -> None:
    Store.objects.update(platform=platform)
    pulled(house, history=3 * DAY)
    assert StoreCoverage.objects.get().known_from == NOON - days * DAY


def test_orders_that_were_read_before_are_read_again(house: House, shop: BulkShop) -> None:
    shop.records = hourly_orders(48)
    pulled(house, history=60 * DAY)
    Order.objects.update(total_micros=1)
    pulled(house)
    assert Order.objects.filter(total_micros=1).exists()
    pulled(house, history=2 * DAY)
    assert not Order.objects.filter(total_micros=1).exists()
    assert StoreCoverage.objects.get().known_from == NOON - 60 * DAY


def test_the_same_command_goes_on_where_one_that_was_killed_stopped(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """The process went away."""

    monkeypatch.setattr("metrics.sync.coverage.BATCH", 10)
    shop.records, shop.fails_after, shop.failure = hourly_orders(48), 35, Killed()
    command = ["sync", "--tenant", house.tenant.slug, "--days", "3", "--slot", (NOON - HOUR).isoformat()]
    with pytest.raises(Killed):
        call_command(*command)
    shop.fails_after = None
    call_command(*command)
    assert shop.skipped == [0, 30] and len(shop.started) == 1
    assert Order.objects.count() == 48 and OrderBackfill.objects.get().state == "done"


def test_a_file_that_takes_too_long_is_a_problem_that_workers_go_on_with(
    house: House, shop: BulkShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order_backfill, "PATIENCE", timedelta(0))
    shop.patience = 99
    with pytest.raises(CommandError, match="workers go on"):
        call_command("sync", days=3, slot=(NOON - HOUR).isoformat())
    assert order_backfill.waiting().count() == 1
