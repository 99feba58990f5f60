"""Shops and credit assessments over the partner API."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.api_fields import ASSESSMENT, STORE, public_id
from accounts.models import Store, StoreKind
from accounts.scoping import all_tenants
from metrics.assessments import assess
from metrics.credit_reasons import REASONS
from metrics.models import CreditAssessment
from tests.api.partner import Partner, assert_problem
from tests.factories import AS_OF, House
from tests.metrics.tiktok_shops import DAY, cover, make_shop, sell


@pytest.fixture
def shop(house: House) -> Store:
    shop = make_shop(house)
    cover(shop, "", "returns", "affiliate", "statements", "payments")
    for n in range(60):
        sell(shop, f"o{n}", AS_OF - (n + 1) * DAY)
    return shop


@pytest.fixture
def assessment(shop: Store, house: House) -> CreditAssessment:
    with all_tenants():
        return assess(house.tenant, period_end=AS_OF, actor="test")


def at(shop: Store, what: str) -> str:
    return f"stores/{public_id(STORE, shop.pk)}/{what}"


def test_a_store_that_is_no_tiktok_shop_has_no_such_figures(house: House, partner: Partner) -> None:
    for what in ("figures", "split"):
        assert_problem(partner.get(at(house.store, what)), 404, "not_found")


def test_the_figures_of_the_newest_thirty_days(shop: Store, partner: Partner) -> None:
    body = partner.get(at(shop, "figures")).json()
    assert (body["start"], body["end"]) == ("2026-10-21T16:00:00Z", "2026-11-20T16:00:00Z")
    assert (body["orders"], body["gmv"]) == (30, {"amount_micros": 3_000_000_000, "currency": "USD"})
    assert (body["average_order"]["amount_micros"], body["return_rate"]) == (100_000_000, "0.0000")


def test_what_is_unknown_is_null(shop: Store, partner: Partner) -> None:
    body = partner.get(at(shop, "figures"), to="2026-11-20T17:00:00Z").json()
    assert (body["gmv"], body["orders"], body["settled"], body["return_rate"]) == (None, None, None, None)


def test_the_split_names_its_return_reported_not_incremental(shop: Store, partner: Partner) -> None:
    body = partner.get(at(shop, "split")).json()
    thirty = {"orders": 30, "value": {"amount_micros": 3_000_000_000, "currency": "USD"}}
    assert (body["total"], body["rest_at_most"]) == (thirty, thirty)
    assert body["credited_to_gmv_max"] == {"orders": None, "value": None}
    assert body["reported_not_incremental_roi"] is None


@pytest.mark.parametrize(
    "span",
    [
        {"from": "2026-11-20T12:30:00Z"},
        {"from": "2026-11-20T12:00:00Z", "to": "2026-11-20T12:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-11-20T12:00:00Z"},
        {"from": "yesterday"},
        {"since": "2026-11-20T12:00:00Z"},
    ],
)
@pytest.mark.parametrize("what", ["figures", "split"])
def test_a_span_that_is_none_is_refused(shop: Store, partner: Partner, what: str, span: dict[str, str]) -> None:
    assert_problem(partner.get(at(shop, what), **span), 400, "invalid_parameter")


@pytest.mark.parametrize("path", ["stores", "credit-assessments"])
def test_unknown_parameters_of_lists_are_refused(path: str, partner: Partner) -> None:
    assert_problem(partner.get(path, tenant="1"), 400, "invalid_parameter")


def test_a_creator_has_no_split(house: House, partner: Partner) -> None:
    creator = make_shop(house, "creator", kind=StoreKind.CREATOR)
    assert partner.get(at(creator, "figures")).status_code == 200
    assert_problem(partner.get(at(creator, "split")), 404, "not_found")


def test_assessments_are_listed_newest_first(assessment: CreditAssessment, house: House, partner: Partner) -> None:
    with all_tenants():
        newer = assess(house.tenant, period_end=AS_OF, days=60, actor="test")
    body = partner.get("credit-assessments", limit="1").json()
    assert body["data"][0]["id"] == public_id(ASSESSMENT, newer.pk)
    (older,) = partner.get("credit-assessments", limit="1", cursor=body["next"]).json()["data"]
    assert older["id"] == public_id(ASSESSMENT, assessment.pk)
    assert "inputs" not in older


def test_an_assessment_comes_with_factors_reasons_and_evidence(assessment: CreditAssessment, partner: Partner) -> None:
    body = partner.get(f"credit-assessments/{public_id(ASSESSMENT, assessment.pk)}").json()
    assert (body["score_ppm"], body["confidence_ppm"]) == (assessment.score_ppm, assessment.confidence_ppm)
    assert body["monthly_revenue"] == {"amount_micros": 2_000_000_000, "currency": "USD"}
    assert [factor["name"] for factor in body["factors"]] == ["revenue", "consistency", "reliability", "growth"]
    assert body["factors"][0]["parts"][0]["read"] == {"monthly_revenue_micros": 2_000_000_000}
    assert {"code": "unknown_rating", "sentence": REASONS["unknown_rating"].sentence} in body["reasons"]
    assert body["evidence"] == {"Store": 1, "Order": 60}
    assert body["inputs_sha256"] == assessment.inputs_sha256


def test_another_tenants_shop_and_assessment_are_not_found(
    assessment: CreditAssessment, shop: Store, other: House
) -> None:
    stranger = Partner(other)
    for path in (f"credit-assessments/{public_id(ASSESSMENT, assessment.pk)}", at(shop, "figures"), at(shop, "split")):
        assert_problem(stranger.get(path), 404, "not_found")
    assert stranger.get("credit-assessments").json()["data"] == []


@pytest.mark.parametrize("path", ["credit-assessments/1", "credit-assessments/cra_%00", "stores/sto_/figures"])
def test_a_malformed_id_is_not_found(path: str, partner: Partner) -> None:
    assert_problem(partner.get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["stores", "credit-assessments"])
def test_a_key_needs_the_scope_to_read_and_nobody_writes(path: str, house: House) -> None:
    assert_problem(Partner(house, ("stop",)).get(path), 403, "forbidden")
    answer: Any = Partner(house).post(path, {}, key="k")
    assert answer.status_code == 405
