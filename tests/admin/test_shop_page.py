"""The page of a TikTok Shop: its figures, how the connection stands, what to do about it, and for whose eyes."""

from __future__ import annotations

import html
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.clock import wall_now
from accounts.hours import HOUR
from accounts.models import Credential, Store, StoreKind
from accounts.scoping import all_tenants
from connectors.models import Delivery, TokenUse
from metrics.models import AffiliateSale, Payment, ShopHealth, ShopHour, Statement
from tests.admin.conftest import As
from tests.factories import AS_OF, House, make_house
from tests.metrics.tiktok_shops import DAY, MICROS, cover, make_shop, sell

URL = reverse("admin:tiktok_shop")
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
def viewer(house: House, log_in: As) -> Client:
    return log_in(house.viewer)


@pytest.fixture
def owner(house: House, log_in: As) -> Client:
    return log_in(house.owner)


@pytest.fixture
def shop(house: House) -> Store:
    """Connected, with two orders of 100 on a day of its own, one of them through a creator."""
    shop = make_shop(house)
    amend(shop.credential, access_token="t0ken")
    cover(shop, "", "returns", "affiliate", "statements", "payments")
    told = {"tenant": house.tenant, "store": shop, "currency": "USD", "known_at": AS_OF}
    for n in range(2):
        sell(shop, f"o{n}", AS_OF - 2 * DAY)
    with all_tenants():
        AffiliateSale.objects.create(
            **told,
            external_id="o0",
            sku_external_id="1",
            sold_at=AS_OF - 2 * DAY,
            quantity=1,
            sales_micros=100 * MICROS,
            commission_micros=15 * MICROS,
        )
        Statement.objects.create(
            **told,
            external_id="s",
            statement_at=AS_OF - DAY,
            settlement_micros=170 * MICROS,
            fee_micros=-15 * MICROS,
            status="PAID",
        )
        Payment.objects.create(
            **told, external_id="p", initiated_at=AS_OF - DAY, amount_micros=170 * MICROS, status="PROCESSING"
        )
    return shop


@pytest.fixture
def creator(house: House) -> Store:
    creator = make_shop(house, "creator", kind=StoreKind.CREATOR, name="Ann")
    amend(creator.credential, access_token="t0ken")
    cover(creator, "affiliate")
    with all_tenants():
        for n, told in enumerate(({"commission_micros": 15 * MICROS}, {"estimated_micros": 4 * MICROS})):
            AffiliateSale.objects.create(
                tenant=house.tenant,
                store=creator,
                external_id=f"c{n}",
                sku_external_id="1",
                sold_at=AS_OF - 2 * DAY,
                quantity=1,
                currency="USD",
                sales_micros=100 * MICROS,
                known_at=AS_OF,
                **told,
            )
    return creator


def amend(row: Any, **values: Any) -> None:
    with all_tenants():
        for name, value in values.items():
            setattr(row, name, value)
        row.save()


def shown(client: Client) -> str:
    """The page's text, one space wide."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", source(client))).split())


def source(client: Client, store: Store | None = None) -> str:
    response = client.get(f"{URL}?store={store.pk}" if store else URL)
    assert response.status_code == 200
    return response.content.decode()


def chart(client: Client, store: Store, days: int) -> Any:
    page = client.get(f"{URL}?store={store.pk}&days={days}").content.decode()
    found = re.search(r'id="chart-data"[^>]*>(.*?)</script>', page)
    assert found
    return json.loads(found[1])


# --- Figures -----------------------------------------------------------------------------------------


def test_a_shop_shows_what_it_sold_and_was_paid(viewer: Client, shop: Store) -> None:
    text = shown(viewer)
    for part in (
        "GMV 200.00 USD",
        "Orders 2",
        "Average order 100.00 USD",
        "Return rate 0.0 %",
        "Commissions 15.00 USD",
        "170.00 USD -15.00 USD Paid",
        "170.00 USD Processing",
    ):
        assert part in text, part


def test_the_split_names_what_is_known_and_gives_the_rest_as_a_range(viewer: Client, shop: Store) -> None:
    text = shown(viewer)
    assert "affiliate list. 1 100.00 USD 50 %" in text
    assert "not told. 0 to 1 0.00 USD to 100.00 USD 0 % to 50 %" in text
    assert "What GMV Max claims is unknown" in text and "connect that ad account" in text
    assert "incremental" not in text


@pytest.mark.parametrize(
    ("asked", "days"), [("7", 7), ("30", 30), ("90", 90), ("", 30), ("8", 30), ("²", 30), ("x", 30)]
)
def test_the_span_is_one_of_three(viewer: Client, shop: Store, asked: str, days: int) -> None:
    response = viewer.get(URL, {"days": asked})
    assert response.context["days"] == days
    assert len(response.context["chart"]["labels"]) == days


def test_the_chart_ends_with_the_last_whole_day_of_the_shop(viewer: Client, shop: Store) -> None:
    drawn = chart(viewer, shop, 7)
    assert drawn["labels"][-1] == f"{AS_OF - DAY:%d %b}"
    assert None not in drawn["series"]["Revenue"]
    assert sum(drawn["series"]["Revenue"]) == 200


def test_a_creator_shows_commissions_and_no_orders_of_a_shop(viewer: Client, creator: Store) -> None:
    text = shown(viewer)
    assert "Commissions 15.00 USD To come 4.00 USD Sales 200.00 USD Orders 2 Days known 30 of 30" in text
    assert "GMV" not in text and "Statements All" not in text
    assert sum(chart(viewer, creator, 7)["series"]["Expected"]) == 4


def test_what_was_not_read_is_unknown_and_not_zero(viewer: Client, house: House) -> None:
    shop = make_shop(house)
    cover(shop, "", low=AS_OF - 2 * DAY)
    text = shown(viewer)
    assert "GMV – Orders – Average order –" in text
    drawn = chart(viewer, shop, 7)["series"]
    assert drawn["Revenue"] == [None] * 6 + [0] and drawn["Refunds"] == [None] * 7


def test_our_figures_stand_beside_the_platforms_own(viewer: Client, shop: Store, house: House) -> None:
    hour = AS_OF - 2 * DAY
    with all_tenants():
        told = ShopHour.objects.create(
            tenant=house.tenant,
            store=shop,
            hour=hour,
            currency="USD",
            gmv_micros=200 * MICROS,
            orders=2,
            known_at=AS_OF,
        )
        ShopHealth.objects.create(
            tenant=house.tenant, store=shop, evaluated_at=AS_OF, known_at=AS_OF, score_ppm=3_900_000, tier="GOOD"
        )
    assert 'b-success">0.0 % apart' in source(viewer)
    assert "3.9 of 5 good" in shown(viewer)
    amend(told, gmv_micros=250 * MICROS)
    assert 'b-warning">20.0 % apart' in source(viewer)


# --- Nothing yet -------------------------------------------------------------------------------------


def test_without_a_shop_an_owner_is_offered_to_connect_one_and_others_are_told_whom_to_ask(
    house: House, owner: Client, log_in: As
) -> None:
    begin = reverse("connect:start", args=["tiktok_shop"])
    assert begin in source(owner)
    for person in (house.viewer, house.buyer):
        client = log_in(person)
        assert "Ask an owner" in shown(client) and begin not in source(client)


def test_a_shop_that_was_not_read_yet_says_when_it_will_be(viewer: Client, house: House) -> None:
    make_shop(house)
    assert "Nothing has been read yet The next sync reads the last 90 days of Tok." in shown(viewer)


# --- The connection ----------------------------------------------------------------------------------


def test_a_living_connection_has_nothing_to_be_done(owner: Client, shop: Store) -> None:
    amend(shop.credential, refresh_expires_at=wall_now() + timedelta(days=300))
    text = shown(owner)
    assert "Health of the connection Connected" in text and "cannot be read" not in text
    assert reverse("connect:again", args=[shop.credential_id]) not in source(owner)


def test_a_problem_is_told_with_the_way_back(owner: Client, viewer: Client, shop: Store) -> None:
    amend(shop, problem="Connect TikTok Shop again: this login is over.")
    amend(shop.credential, problem="tiktok shop error 105002: Expired credentials")
    again = reverse("connect:again", args=[shop.credential_id])
    text = shown(owner)
    assert "Tok cannot be read. Connect TikTok Shop again: this login is over. Connect again" in text
    assert "Login needed" in text and "Authorisation over" in text
    assert again in source(owner)
    assert "this login is over" in shown(viewer) and again not in source(viewer)


def test_a_problem_that_passes_by_itself_asks_for_no_login(owner: Client, shop: Store) -> None:
    amend(shop, problem="Nothing to do: TikTok Shop asks for a pause, and reading goes on by itself.")
    assert "Nothing to do" in shown(owner)
    assert reverse("connect:again", args=[shop.credential_id]) not in source(owner)


def test_a_login_that_ran_out_is_told_before_anything_was_tried(owner: Client, shop: Store) -> None:
    amend(shop.credential, expires_at=wall_now() - HOUR, refresh_expires_at=wall_now() - HOUR)
    assert "The login expired" in shown(owner)
    assert reverse("connect:again", args=[shop.credential_id]) in source(owner)


def test_a_note_on_the_figures_is_shown(viewer: Client, shop: Store) -> None:
    amend(shop, notice="No orders in the last 90 days: revenue is zero, which is taken as true.")
    assert "revenue is zero, which is taken as true" in shown(viewer)


def test_a_shop_that_is_switched_off_promises_no_reading(owner: Client, house: House) -> None:
    shop = make_shop(house, is_active=False)
    amend(shop.credential, access_token="t0ken")
    text = shown(owner)
    assert "Tok is switched off and not read any more; what was read stays." in text
    assert "Health of the connection Switched off" in text and "The next sync reads" not in text
    assert reverse("connect:choose", args=[shop.credential_id]) in source(owner)
    amend(shop.credential, access_token=None)
    assert reverse("connect:again", args=[shop.credential_id]) in source(owner)


def test_uses_of_the_token_count_as_refused_only_where_they_were(viewer: Client, shop: Store, house: House) -> None:
    with all_tenants():
        for outcome in ("200", "done", "", "401"):
            TokenUse.objects.create(
                tenant=house.tenant, credential=shop.credential, at=wall_now(), operation="GET /x", outcome=outcome
            )
        TokenUse.objects.create(
            tenant=house.tenant,
            credential=shop.credential,
            at=wall_now() - 2 * DAY,
            operation="GET /x",
            outcome="500",
        )
    assert "24 hours 4, 1 not answered with success" in shown(viewer)


def test_news_that_could_not_be_taken_are_counted(viewer: Client, shop: Store, house: House) -> None:
    assert "not subscribed: the shop is read hourly" in shown(viewer)
    with all_tenants():
        for n, state in enumerate(("done", "failed")):
            Delivery.objects.create(
                tenant=house.tenant,
                store=shop,
                topic="1",
                webhook_id=f"w{n}",
                body_sha256=str(n) * 64,
                state=state,
            )
    assert ", 1 failed" in shown(viewer)


# --- For whose eyes ----------------------------------------------------------------------------------


def test_another_tenants_shop_is_not_to_be_found(viewer: Client, shop: Store) -> None:
    other = make_shop(make_house("other"), "theirs", name="Theirs")
    for pk in (str(other.pk), "1", "x" * 200, "' or 1=1"):
        assert viewer.get(URL, {"store": pk}).status_code == 404
    assert "Theirs" not in shown(viewer)


def test_a_shopify_shop_has_no_such_page(viewer: Client, house: House) -> None:
    assert viewer.get(URL, {"store": str(house.store.pk)}).status_code == 404


def test_a_stranger_is_sent_to_the_login(client: Client, shop: Store) -> None:
    response = client.get(URL)
    assert response.status_code == 302 and "/login/" in response["Location"]


def test_several_shops_stand_beside_each_other_the_chosen_one_marked(
    viewer: Client, shop: Store, creator: Store
) -> None:
    page = source(viewer, creator)
    assert page.count('aria-current="page"') == 1
    assert "Ann (creator)" in page and f"?store={shop.pk}" in page


def test_names_from_a_platform_are_text_and_never_markup(viewer: Client, shop: Store, house: House) -> None:
    make_shop(house, "second", name=HOSTILE)
    amend(shop, name=HOSTILE, problem=HOSTILE, notice=HOSTILE)
    with all_tenants():
        Statement.objects.update(status=HOSTILE[:40])
        Credential.objects.filter(pk=shop.credential_id).update(problem=HOSTILE)
        ShopHealth.objects.create(
            tenant=house.tenant, store=shop, evaluated_at=AS_OF, known_at=AS_OF, tier=HOSTILE[:32]
        )
        TokenUse.objects.create(
            tenant=house.tenant, credential=shop.credential, at=wall_now(), operation=HOSTILE, outcome=HOSTILE
        )
    page = source(viewer, shop)
    assert "&lt;script&gt;alert" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize("days", ["0", "-7", "31", "00070", "0090" + "9" * 30, "7" * 5000, "٣٠", "x"])
def test_a_span_that_is_not_offered_is_the_usual_one(viewer: Client, shop: Store, days: str) -> None:
    answer = viewer.get(URL, {"days": days})
    assert answer.status_code == 200 and answer.context["days"] == 30
