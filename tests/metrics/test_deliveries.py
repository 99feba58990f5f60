"""What was pushed is worked off: read again, stored, accounted, at least once and with the effect of once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from accounts.clock import wall_now
from accounts.hours import HOUR
from accounts.models import Alert, Credential, Store
from config.tasks import purge
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    TransientError,
)
from connectors.models import Delivery, TokenUse
from connectors.signals import delivery_received
from connectors.webhooks import LASTING, SHOPIFY_TOPICS, TIKTOK_SHOP_TOPICS
from metrics import backfill, deliveries, privacy, tasks
from metrics.models import Order, Refund, Reward
from tests.factories import AS_OF, SLOT, House
from tests.metrics.pushed import ServedShop, deliver, gid, order
from tests.metrics.stores import refund

LATER = timedelta(minutes=1)
pytestmark = pytest.mark.usefixtures("everywhere")


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(deliveries, "wake", lambda store_id: found.append(str(store_id)))
    return found


@pytest.fixture(autouse=True)
def shop(house: House, woken: list[str], monkeypatch: pytest.MonkeyPatch) -> ServedShop:
    """The house's store; business time is `AS_OF`."""
    served = ServedShop()
    monkeypatch.setattr(deliveries, "connect_store", lambda store: served)
    monkeypatch.setattr(backfill, "ended", lambda account: AS_OF)
    return served


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], timedelta]:
    """Moves the wall clock of those who work off; returns how far it is ahead."""
    ahead = timedelta()

    def move(span: timedelta) -> timedelta:
        nonlocal ahead
        ahead += span
        return ahead

    monkeypatch.setattr(deliveries, "wall_now", lambda: wall_now() + ahead)
    return move


def work(house: House) -> int:
    return deliveries.work_off(house.store.pk, until=wall_now() + LATER)


def states(house: House) -> list[tuple[str, str]]:
    return list(Delivery.objects.filter(store=house.store).order_by("created_at").values_list("state", "problem"))


def alert_keys(house: House) -> set[str]:
    return {row.key.partition(" ")[0] for row in Alert.objects.filter(tenant=house.tenant, resolved_at=None)}


def test_every_topic_that_is_taken_is_worked_off() -> None:
    assert set(deliveries.HANDLERS) == set(SHOPIFY_TOPICS) | set(TIKTOK_SHOP_TOPICS)
    assert set(deliveries.HANDLERS) >= LASTING


# --- Orders ------------------------------------------------------------------------------------------


def test_an_order_is_read_again_and_stored_with_what_belongs_to_it(house: House, shop: ServedShop) -> None:
    shop.serve(order(1, refunds=(refund(1, SLOT, 30),)))
    deliver(house.store, "orders/create", gid(1))
    assert work(house) == 1
    stored = Order.objects.get(store=house.store)
    assert (stored.external_id, stored.total_micros, stored.units) == (gid(1), 100_000_000, 1)
    assert stored.refunds.count() == 1 and stored.lines.count() == 1
    assert states(house) == [("done", "")]


def test_an_order_that_several_deliveries_name_is_asked_for_once(house: House, shop: ServedShop) -> None:
    shop.serve(order(1), order(2))
    for topic, number in (("orders/create", 1), ("refunds/create", 1), ("orders/cancelled", 2), ("orders/paid", 1)):
        deliver(house.store, topic, gid(number))
    assert work(house) == 4
    assert shop.asked_ids == [[gid(1), gid(2)]]


def test_an_order_that_the_platform_does_not_know_is_done_with_a_note(house: House, shop: ServedShop) -> None:
    shop.serve(order(1))
    for number in (1, 2):
        deliver(house.store, "orders/create", gid(number))
    assert work(house) == 2
    assert states(house) == [("done", ""), ("done", "the platform knows no such order")]


def test_only_the_store_that_was_told_is_read(house: House, shop: ServedShop) -> None:
    shop.serve(order(1))
    other = Store.objects.create(
        tenant=house.tenant, platform="shopify", external_id="b.myshopify.com", credential=house.store.credential
    )
    deliver(house.store, "orders/create", gid(1))
    theirs = deliver(other, "orders/create", gid(1))
    work(house)
    theirs.refresh_from_db()
    assert theirs.state == "waiting" and not Order.objects.filter(store=other).exists()


def test_the_closed_hours_of_orders_and_refunds_are_accounted(house: House, shop: ServedShop) -> None:
    term = house.ad_sets[0].external_id
    hours = [SLOT - timedelta(days=3), SLOT, AS_OF]
    refunded = refund(1, SLOT - HOUR, 30)
    shop.serve(*(order(n, at=at, utm_term=term, refunds=(refunded,) if n == 0 else ()) for n, at in enumerate(hours)))
    for number in range(3):
        deliver(house.store, "orders/create", gid(number))
    work(house)
    rewards = {row.hour: (row.revenue_micros, row.refunds_micros) for row in Reward.objects.all()}
    assert rewards == {hours[0]: (100_000_000, 0), SLOT - HOUR: (0, 30_000_000), SLOT: (100_000_000, 0)}


def test_a_worker_that_was_killed_before_it_had_accounted_leaves_that_to_the_next(
    house: House, shop: ServedShop, pass_time: Callable[[timedelta], timedelta], monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.serve(order(1, utm_term=house.ad_sets[0].external_id))
    deliver(house.store, "orders/create", gid(1))
    with monkeypatch.context() as patch:
        patch.setattr(deliveries, "account", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            work(house)
    assert Order.objects.exists() and not Reward.objects.exists()
    assert work(house) == 0  # the lease of the one that was killed
    pass_time(deliveries.LEASE + LATER)
    assert work(house) == 1 and Reward.objects.count() == 1


def test_a_refund_that_moves_to_another_hour_is_taken_out_of_the_one_it_stood_in(
    house: House, shop: ServedShop
) -> None:
    """As when an order is edited: from then on its refunds stand where its agreements say."""
    before, after = SLOT - 5 * 24 * HOUR, SLOT - HOUR
    for version, at in enumerate((before, after)):
        refunds = (refund(1, at, 30),)
        shop.serve(order(1, version=version, utm_term=house.ad_sets[0].external_id, refunds=refunds))
        deliver(house.store, "orders/updated", gid(1))
        assert work(house) == 1
    refunded = dict(Reward.objects.exclude(refunds_micros=0).values_list("hour", "refunds_micros"))
    assert refunded == {after: 30_000_000}


VERSIONS = 3
EVENTS = st.lists(st.tuples(st.integers(1, 4), st.integers(0, VERSIONS)), min_size=1, max_size=12)


def versions(number: int, version: int) -> Any:
    """The order as it is after so many changes: each one has a refund more."""
    refunds = tuple(refund(n, SLOT + n * LATER, 3) for n in range(version))
    return order(number, version=version, refunds=refunds, total_micros=100_000_000 + number)


@hypothesis_settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, shuffled=st.randoms(use_true_random=False))
def test_any_number_and_order_of_deliveries_have_the_effect_of_each_once_in_their_order(
    house: House, shop: ServedShop, events: list[tuple[int, int]], shuffled: Any
) -> None:
    """Also when what the platform answers is at times older than what it has answered before."""
    Order.objects.all().delete()
    answers = events * 2 + [(number, max(v for n, v in events if n == number)) for number, _ in events]
    shuffled.shuffle(answers)
    for number, version in answers:
        shop.serve(versions(number, version))
        for _ in range(shuffled.randint(0, 2)):
            deliver(house.store, "orders/updated", gid(number))
        if shuffled.random() < 0.3:
            work(house)
        deliver(house.store, "orders/create", gid(number))
        work(house)
    newest = {number: max(v for n, v in events if n == number) for number, _ in events}
    found = {row.external_id: (row.platform_updated_at, row.refunds.count()) for row in Order.objects.all()}
    assert found == {gid(n): (versions(n, v).updated_at, v) for n, v in newest.items()}
    assert Refund.objects.count() == sum(newest.values())
    assert not Delivery.objects.exclude(state="done").exists()


# --- Claims, failures --------------------------------------------------------------------------------


def test_what_another_worker_holds_is_left_to_it(
    house: House, shop: ServedShop, pass_time: Callable[[timedelta], timedelta]
) -> None:
    shop.serve(order(1))
    deliver(house.store, "orders/create", gid(1), lease_until=wall_now() + LATER)
    assert work(house) == 0 and shop.asked_ids == []
    pass_time(2 * LATER)
    assert work(house) == 1


def test_two_workers_never_hold_the_same_delivery(house: House) -> None:
    for number in range(3):
        deliver(house.store, "orders/create", gid(number))
    assert len(deliveries._claim(house.store.pk)) == 3
    assert deliveries._claim(house.store.pk) == []


def test_a_failure_is_tried_again_after_growing_pauses_and_given_up_after_the_eighth(
    house: House, shop: ServedShop, pass_time: Callable[[timedelta], timedelta]
) -> None:
    shop.refusal = TransientError("the platform is away")
    row = deliver(house.store, "orders/create", gid(1))
    pauses, ahead = [], timedelta()
    for attempt in range(1, 9):
        assert work(house) == 0
        row.refresh_from_db()
        assert (row.attempts, row.problem) == (attempt, "the platform is away")
        if row.state == "waiting":
            assert row.lease_until is not None
            pauses.append(round((row.lease_until - wall_now() - ahead).total_seconds()))
            assert work(house) == 0 and len(shop.asked_ids) == attempt
            ahead = pass_time(timedelta(seconds=pauses[-1] + 1))
    assert pauses == [30, 60, 120, 240, 480, 960, 1920]
    assert row.state == "failed" and row.finished_at is not None
    assert alert_keys(house) == {"deliveries"}
    shop.refusal = None
    deliver(house.store, "orders/create", gid(2))
    assert work(house) == 1 and alert_keys(house) == set()


def test_a_pause_that_the_platform_asks_for_is_kept(house: House, shop: ServedShop) -> None:
    shop.refusal = RateLimitedError("later", retry_after=900)
    row = deliver(house.store, "orders/create", gid(1))
    work(house)
    row.refresh_from_db()
    assert row.lease_until is not None and row.lease_until > wall_now() + timedelta(minutes=14)


def test_a_dead_login_is_told_and_shown(house: House, shop: ServedShop) -> None:
    shop.refusal = AuthenticationError("the token was revoked")
    deliver(house.store, "orders/create", gid(1))
    work(house)
    assert alert_keys(house) == {"credential"}
    assert "revoked" in Credential.objects.get(pk=house.store.credential_id).problem


def test_a_crash_of_ours_is_tried_again_and_not_hidden(house: House, shop: ServedShop) -> None:
    shop.refusal = RuntimeError("a secret may stand here")
    row = deliver(house.store, "orders/create", gid(1))
    with pytest.raises(RuntimeError):
        work(house)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.problem) == ("waiting", 1, "RuntimeError")


def test_one_kind_of_news_that_fails_does_not_hold_up_the_others(
    house: House, shop: ServedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(store: Store, rows: list[Delivery]) -> None:
        raise TransientError("away")

    monkeypatch.setitem(deliveries.HANDLERS, "shop/update", fail)
    shop.serve(order(1))
    deliver(house.store, "shop/update")
    deliver(house.store, "orders/create", gid(1))
    assert work(house) == 1
    assert states(house) == [("waiting", "away"), ("done", "")]


@pytest.mark.parametrize("failure", [MalformedReplyError("no total"), ConfigurationError("no such id")])
def test_an_order_that_cannot_be_read_does_not_take_others_with_it(
    house: House, shop: ServedShop, monkeypatch: pytest.MonkeyPatch, failure: ConnectorError
) -> None:
    def read(external_ids: list[str]) -> Any:
        if gid(3) in external_ids:
            raise failure
        return iter([order(int(name.rpartition("/")[2])) for name in external_ids])

    monkeypatch.setattr(shop, "orders_by_id", read)
    for number in range(7):
        deliver(house.store, "orders/create", gid(number))
    assert work(house) == 6 and Order.objects.count() == 6
    left = Delivery.objects.get(state="waiting")
    assert (left.resource, left.attempts, left.problem) == (gid(3), 1, str(failure))


def test_orders_of_a_store_that_was_switched_off_meanwhile_are_not_read(house: House, shop: ServedShop) -> None:
    deliver(house.store, "orders/create", gid(1))
    Store.objects.filter(pk=house.store.pk).update(is_active=False)
    assert work(house) == 1 and shop.asked_ids == []
    assert states(house) == [("done", "the store is not connected any more")]


# --- Waking ------------------------------------------------------------------------------------------


def push(house: House, number: int) -> None:
    deliver(house.store, "orders/create", gid(number))
    delivery_received.send(sender=Delivery, store_id=house.store.pk)


def test_a_burst_wakes_one_worker(house: House, shop: ServedShop, woken: list[str]) -> None:
    for number in range(5):
        push(house, number)
    assert woken == [str(house.store.pk)]
    work(house)
    push(house, 9)
    assert len(woken) == 2


def test_what_failed_before_does_not_keep_news_waiting(house: House, shop: ServedShop, woken: list[str]) -> None:
    shop.refusal = TransientError("away")
    push(house, 1)
    work(house)
    push(house, 2)
    assert len(woken) == 2


def test_what_a_lost_worker_left_is_woken_again(
    house: House, woken: list[str], pass_time: Callable[[timedelta], timedelta]
) -> None:
    deliver(house.store, "orders/create", gid(1))
    assert tasks.resume_deliveries() == 1 and woken == [str(house.store.pk)]
    deliveries._claim(house.store.pk)
    assert tasks.resume_deliveries() == 0
    pass_time(deliveries.LEASE + LATER)
    assert tasks.resume_deliveries() == 1


def test_what_is_left_at_the_end_of_a_task_is_done_by_another(
    house: House, shop: ServedShop, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "BATCH", 2)
    monkeypatch.setattr(deliveries, "SLICE", timedelta())
    for number in range(3):
        deliver(house.store, "orders/create", gid(number))
    assert tasks.work_deliveries(str(house.store.pk)) == "2 done"
    assert woken == [str(house.store.pk)]
    assert tasks.work_deliveries(str(house.store.pk)) == "1 done" and len(woken) == 1


def test_a_store_that_is_gone_is_no_failure() -> None:
    assert tasks.work_deliveries(str(UUID(int=7))) == "0 done"


# --- The shop itself ---------------------------------------------------------------------------------


def test_a_shop_that_changed_is_read_again(house: House, shop: ServedShop) -> None:
    shop.currency, shop.zone = "EUR", "Europe/Berlin"
    deliver(house.store, "shop/update", "gid://shopify/Shop/1")
    assert work(house) == 1
    house.store.refresh_from_db()
    assert (house.store.name, house.store.currency, house.store.timezone) == ("Shop", "EUR", "Europe/Berlin")


@pytest.mark.parametrize(
    "failure",
    [
        AuthenticationError("401"),
        NotFoundError("404"),
        PermissionDeniedError("closed", code="402"),
    ],
)
@pytest.mark.parametrize("topic", ["app/uninstalled", "6"])
def test_a_connection_ends_here_when_the_platform_confirms_it(
    house: House, shop: ServedShop, failure: ConnectorError, topic: str
) -> None:
    own_credential(house)
    shop.refusal = failure
    deliver(house.store, topic)
    assert work(house) == 1
    house.store.refresh_from_db()
    assert not house.store.is_active and house.store.uninstalled_at is not None
    assert Credential.objects.get(pk=house.store.credential_id).access_token is None


def own_credential(house: House) -> None:
    house.store.credential = Credential.objects.create(
        tenant=house.tenant, platform="shopify", label="acme", access_token="shpat_0"
    )
    house.store.save()


def test_a_forged_end_ends_nothing(house: House, pass_time: Callable[[timedelta], timedelta]) -> None:
    """The platform still takes the login: also when it is asked again, for the news may be faster than the end."""
    own_credential(house)
    deliver(house.store, "app/uninstalled")
    for _ in range(2):
        assert work(house) == 0
        pass_time(timedelta(minutes=5))
    assert work(house) == 1
    assert states(house) == [("done", "the platform still takes the login: nothing was ended")]
    house.store.refresh_from_db()
    assert house.store.is_active and Credential.objects.get(pk=house.store.credential_id).access_token


@pytest.mark.parametrize("failure", [TransientError("away"), PermissionDeniedError("scope", code="403")])
def test_an_end_that_the_platform_does_not_confirm_waits(
    house: House, shop: ServedShop, failure: ConnectorError
) -> None:
    own_credential(house)
    shop.refusal = failure
    deliver(house.store, "app/uninstalled")
    assert work(house) == 0
    house.store.refresh_from_db()
    assert house.store.is_active and states(house)[0][0] == "waiting"


def test_an_authorisation_that_is_about_to_end_is_told_with_its_date(house: House) -> None:
    ends = datetime.fromisoformat("2026-12-24T00:00:00Z")
    Credential.objects.filter(pk=house.store.credential_id).update(refresh_expires_at=ends)
    for _ in range(2):
        deliver(house.store, "7")
    assert work(house) == 2
    alert = Alert.objects.get(tenant=house.tenant)
    assert "ends on 2026-12-24" in alert.message and "connect again" in alert.message


def test_a_bulk_operation_that_finished_wakes_the_stores_backfills(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Store] = []
    monkeypatch.setattr(tasks, "wake_order_backfills", found.append)
    deliver(house.store, "bulk_operations/finish", "gid://shopify/BulkOperation/1")
    assert work(house) == 1 and found == [house.store]


def test_news_of_products_are_left_to_the_next_sync(house: House, shop: ServedShop) -> None:
    deliver(house.store, "5")
    assert work(house) == 1 and shop.asked_ids == []


# --- Housekeeping ------------------------------------------------------------------------------------


def test_old_deliveries_go_and_those_of_ends_and_erasures_after_a_year(house: House) -> None:
    ages = {"orders/create": (29, 31), "app/uninstalled": (31, 364, 366), "shop/redact": (31, 366), "6": (31,)}
    for topic, days in ages.items():
        for age in days:
            row = deliver(house.store, topic, f"{age}", state="done")
            Delivery.objects.filter(pk=row.pk).update(created_at=wall_now() - timedelta(days=age))
    still = deliver(house.store, "orders/create", "waiting")
    Delivery.objects.filter(pk=still.pk).update(created_at=wall_now() - timedelta(days=50))
    purge()
    left = sorted(Delivery.objects.values_list("topic", "resource"))
    assert left == [
        ("6", "31"),
        ("app/uninstalled", "31"),
        ("app/uninstalled", "364"),
        ("orders/create", "29"),
        ("orders/create", "waiting"),
        ("shop/redact", "31"),
    ]


def test_uses_of_tokens_are_kept_for_400_days(house: House) -> None:
    for age in (399, 401):
        TokenUse.objects.create(
            tenant=house.tenant,
            credential=house.store.credential,
            at=wall_now() - timedelta(days=age),
            operation=f"{age}",
        )
    purge()
    assert list(TokenUse.objects.values_list("operation", flat=True)) == ["399"]


def test_one_privacy_request_that_fails_does_not_hold_up_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is done by itself."""
    done: list[str] = []

    def carry_out(row: Delivery, **_: Any) -> bool:
        if row.resource == "bad":
            raise TransientError("away")
        done.append(row.resource)
        return True

    monkeypatch.setattr(privacy, "carry_out", carry_out)
    for name in ("1", "bad", "2"):
        deliver(house.store, "customers/redact", name)
    assert work(house) == 2
    assert done == ["1", "2"] and states(house) == [("done", ""), ("waiting", "away"), ("done", "")]
