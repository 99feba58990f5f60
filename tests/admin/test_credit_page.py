"""The page of the credit assessment: score, factors, evidence and history, and who may make a new one."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import Store
from accounts.scoping import all_tenants
from metrics.admin import credit_page
from metrics.admin.credit_words import FACTOR_NAMES, PART_NAMES, TIER_NAMES
from metrics.assessments import assess
from metrics.credit import HIGHEST_TIER, TIERS
from metrics.models import CreditAssessment, Order
from tests.admin.conftest import As
from tests.factories import AS_OF, House, make_house
from tests.metrics.tiktok_shops import DAY, cover, make_shop, sell

URL = reverse("admin:credit")
HOSTILE = "<script>alert('x')</script>"


@pytest.fixture(autouse=True)
def _wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credit_page, "wall_now", lambda: AS_OF)


@pytest.fixture
def buyer(house: House, log_in: As) -> Client:
    return log_in(house.buyer)


@pytest.fixture
def viewer(house: House, log_in: As) -> Client:
    return log_in(house.viewer)


@pytest.fixture
def shop(house: House) -> Store:
    """An order of 100 on each of 90 days."""
    shop = make_shop(house)
    cover(shop, "", "returns", "affiliate", "products", "health")
    for n in range(90):
        sell(shop, f"o{n}", AS_OF - (n + 0.5) * DAY)
    return shop


@pytest.fixture
def made(house: House, shop: Store) -> CreditAssessment:
    return assessed(house)


def assessed(house: House, **values: Any) -> CreditAssessment:
    with all_tenants():
        return assess(house.tenant, **{"period_end": AS_OF, "actor": "test", **values})


def shown(response: Any) -> str:
    assert response.status_code == 200
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def told(response: Any) -> list[str]:
    """The messages on top of the page that the request led to."""
    assert response.status_code == 200
    return [str(message) for message in response.context["messages"]]


def to_assess(house: House) -> str:
    return reverse("admin:credit_assess", args=[house.tenant.slug])


def to_verify(row: CreditAssessment) -> str:
    return reverse("admin:credit_verify", args=[row.pk])


def count() -> int:
    with all_tenants():
        return CreditAssessment.objects.count()


# --- What it shows -----------------------------------------------------------------------------------


def test_an_assessment_shows_its_score_factors_parts_reasons_and_evidence(
    viewer: Client, made: CreditAssessment
) -> None:
    text = shown(viewer.get(URL))
    assert made.score_ppm is not None
    assert f"to 20 Nov 2026 {made.score_ppm // 10_000} From verified revenue" in text
    assert "Monthly revenue 3,000.00 USD up to 5,000 USD a month" in text
    assert "Consistency 20 % of the score" in text and "known days 90" in text
    assert "months orders 30 → 30 → 30" in text
    assert "Violations 20 % violations unknown Unknown" in text
    assert "unknown_violations The platform does not tell violations." in text
    assert "Order 90 rows" in text and "Store 1 row The ids" in text
    assert made.inputs_sha256[:16] in text


def test_every_word_of_the_formulas_has_one_for_people(made: CreditAssessment) -> None:
    assert {factor["name"] for factor in made.factors} == set(FACTOR_NAMES)
    assert {part["name"] for factor in made.factors for part in factor["parts"]} == set(PART_NAMES)
    assert set(TIER_NAMES) == {name for _, name in TIERS} | {HIGHEST_TIER}


def test_history_leads_to_each_and_marks_the_one_that_is_shown(
    viewer: Client, house: House, made: CreditAssessment
) -> None:
    newest = assessed(house, period_end=AS_OF - 20 * DAY, days=60)
    page = viewer.get(URL)
    assert page.context["row"].pk == newest.pk
    older = viewer.get(URL, {"tenant": house.tenant.slug, "assessment": str(made.pk)})
    assert older.context["row"].pk == made.pk
    text = older.content.decode()
    assert text.count('aria-current="true"') == 1 and str(newest.pk) in text


def test_the_chart_shows_scores_oldest_first_with_a_gap_where_there_is_none(
    viewer: Client, house: House, made: CreditAssessment
) -> None:
    assert "chart-data" not in viewer.get(URL).content.decode()
    with all_tenants():
        CreditAssessment.objects.filter(pk=made.pk).update(created_at=AS_OF - 9 * DAY)
    sealed = assessed(house)
    with all_tenants():
        CreditAssessment.objects.filter(pk=sealed.pk).update(score_ppm=None)
    found = re.search(r'id="chart-data"[^>]*>(.*?)</script>', viewer.get(URL).content.decode())
    assert found and made.score_ppm is not None
    assert json.loads(found[1])["series"]["Score"] == [made.score_ppm / 10_000, None]


def test_too_little_known_is_a_dash_with_reasons_and_never_zero(viewer: Client, house: House) -> None:
    shop = make_shop(house)
    cover(shop, "", low=AS_OF - 5 * DAY)
    row = assessed(house)
    assert row.score_ppm is None
    text = shown(viewer.get(URL))
    assert "– Too little is known for a score; the reasons below say what is missing." in text
    assert "store_not_read" in text and "Monthly revenue –" in text


def test_names_are_text_and_never_markup(viewer: Client, house: House, made: CreditAssessment) -> None:
    with all_tenants():
        CreditAssessment.objects.filter(pk=made.pk).update(asked_by=HOSTILE, reasons=[HOSTILE], tier=HOSTILE[:32])
        type(house.tenant).objects.filter(pk=house.tenant.pk).update(name=HOSTILE)
    page = viewer.get(URL).content.decode()
    assert "&lt;script&gt;alert" in page and "<script>alert" not in page


# --- Nothing yet -------------------------------------------------------------------------------------


def test_without_a_shop_the_next_step_is_to_connect_one(house: House, log_in: As) -> None:
    begin = reverse("connect:start", args=["tiktok_shop"])
    owner = log_in(house.owner).get(URL)
    assert f"No assessment has been made for {house.tenant}" in shown(owner) and begin in owner.content.decode()
    for person in (house.buyer, house.viewer):
        page = log_in(person).get(URL)
        assert "Ask an owner to connect a TikTok Shop first." in shown(page) and begin not in page.content.decode()


def test_with_a_shop_the_next_step_is_to_assess(house: House, shop: Store, buyer: Client, viewer: Client) -> None:
    assert to_assess(house) in buyer.get(URL).content.decode()
    page = viewer.get(URL)
    assert to_assess(house) not in page.content.decode()
    assert "Ask an owner or a media buyer to make one." in shown(page)


# --- Making and checking one -------------------------------------------------------------------------


def test_whoever_proposes_makes_one(house: House, shop: Store, buyer: Client) -> None:
    (message,) = told(buyer.post(to_assess(house), follow=True))
    assert re.fullmatch(r"Assessed 2026-08-22 to 2026-11-20\. Score \d+ of 100\.", message)
    assert count() == 1
    with all_tenants():
        assert CreditAssessment.objects.get().asked_by == house.buyer.username


def test_one_without_a_score_says_so(house: House, buyer: Client) -> None:
    (message,) = told(buyer.post(to_assess(house), follow=True))
    assert message.endswith("No score: too little is known.")


def test_a_viewer_makes_none(house: House, shop: Store, viewer: Client) -> None:
    assert viewer.post(to_assess(house)).status_code == 403
    assert count() == 0


def test_looking_and_a_get_make_none(house: House, buyer: Client, made: CreditAssessment) -> None:
    buyer.get(URL)
    assert buyer.get(to_assess(house)).status_code == 405
    assert buyer.get(to_verify(made)).status_code == 405
    assert count() == 1


def test_a_post_without_a_csrf_token_is_refused(house: House, shop: Store) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(house.buyer)
    assert client.post(to_assess(house)).status_code == 403
    assert count() == 0


def test_evidence_that_stands_is_told(viewer: Client, made: CreditAssessment) -> None:
    assert told(viewer.post(to_verify(made), follow=True)) == [
        "Every row that it rests on is still there, and gives the same inputs."
    ]


def test_evidence_that_changed_is_told_and_the_score_stays(viewer: Client, made: CreditAssessment) -> None:
    with all_tenants():
        Order.objects.filter(external_id="o1").delete()
        Order.objects.filter(external_id="o2").update(is_paid=False)
    response = viewer.post(to_verify(made), follow=True)
    (message,) = told(response)
    assert "Rows that are gone: 1; that no longer count: 1; inputs that differ: " in message, message
    assert response.context["row"].score_ppm == made.score_ppm


@pytest.mark.parametrize("changes", [{"inputs": "orders"}, {"score_ppm": 990_000}, {"tier": "above_20000"}])
def test_what_was_tampered_with_is_told(viewer: Client, made: CreditAssessment, changes: dict[str, Any]) -> None:
    if "inputs" in changes:
        changes = {"inputs": {**made.inputs, changes["inputs"]: 9_999}}
    with all_tenants():
        CreditAssessment.objects.filter(pk=made.pk).update(**changes)
    (message,) = told(viewer.post(to_verify(made), follow=True))
    assert "does not verify" in message, message


# --- For whose eyes ----------------------------------------------------------------------------------


@pytest.fixture
def other() -> Iterator[tuple[House, CreditAssessment]]:
    """Another tenant with an assessment of its own."""
    house = make_house("other")
    cover(make_shop(house, "theirs"), "")
    yield house, assessed(house)


def test_another_tenants_assessment_is_not_to_be_found(
    house: House, buyer: Client, made: CreditAssessment, other: tuple[House, CreditAssessment]
) -> None:
    theirs, row = other
    before = count()
    for pk in (str(row.pk), "1", "' or 1=1", "x" * 200):
        assert buyer.get(URL, {"assessment": pk}).status_code == 404
    page = buyer.get(URL, {"tenant": theirs.tenant.slug})
    assert page.context["tenant"] == house.tenant and str(row.pk) not in page.content.decode()
    assert buyer.post(to_assess(theirs)).status_code in (403, 404)
    assert buyer.post(to_verify(row)).status_code == 404
    assert count() == before


def test_a_stranger_is_sent_to_the_login(client: Client, house: House, made: CreditAssessment) -> None:
    for response in (client.get(URL), client.post(to_assess(house)), client.post(to_verify(made))):
        assert response.status_code == 302 and "/login/" in response["Location"]
    assert count() == 1
