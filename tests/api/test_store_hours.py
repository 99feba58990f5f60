from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.api_fields import STORE, public_id
from accounts.hours import HOUR
from accounts.models import Store
from accounts.scoping import all_tenants
from metrics.models import StoreCoverage
from tests.api.partner import Partner, assert_problem
from tests.factories import AS_OF, House
from tests.metrics.stores import edit, order, receive, refund

START = AS_OF - 2 * HOUR
SPAN = {"from": "2026-11-20T14:00:00Z", "to": "2026-11-20T17:00:00Z"}


@pytest.fixture
def selling(house: House) -> House:
    """Two hours are known: two orders, an edit and a refund in the first, nothing in the second."""
    with all_tenants():
        StoreCoverage.objects.create(tenant=house.tenant, store=house.store, known_from=START, known_to=AS_OF)
        soon = START + timedelta(minutes=10)
        receive(
            house.store,
            order("a", soon, 50, edits=(edit(1, soon, -5),), refunds=(refund(1, soon, 20),)),
            order("b", soon, 30),
        )
    return house


def path(house: House) -> str:
    return f"stores/{public_id(STORE, house.store.pk)}/hours"


def dollars(units: int) -> dict[str, Any]:
    return {"amount_micros": units * 1_000_000, "currency": "USD"}


def test_shows_each_hour_and_null_where_it_is_not_known(selling: House, partner: Partner) -> None:
    body = partner.get(path(selling), **SPAN).json()
    assert (body["start"], body["end"]) == (SPAN["from"], SPAN["to"])
    first, second, third = body["hours"]
    assert first == {
        "hour": "2026-11-20T14:00:00Z",
        "revenue": dollars(75),
        "refunds": dollars(20),
        "cogs": None,
        "orders": 2,
        "units": 2,
        "new_customers": 2,
    }
    assert (second["revenue"], second["orders"], second["new_customers"]) == (dollars(0), 0, 0)
    assert set(third.values()) == {"2026-11-20T16:00:00Z", None}


def test_lists_stores_with_what_is_known_of_them_and_no_secret(selling: House, partner: Partner) -> None:
    with all_tenants():
        Store.objects.update(notice="No orders yet.")
    (row,) = partner.get("stores").json()["data"]
    assert (row["id"], row["platform"], row["kind"]) == (public_id(STORE, selling.store.pk), "shopify", "shop")
    assert (row["currency"], row["timezone"], row["notice"]) == ("USD", "America/New_York", "No orders yet.")
    assert (row["known_from"], row["known_to"]) == ("2026-11-20T14:00:00Z", "2026-11-20T16:00:00Z")
    assert not {"cipher", "credential"} & set(row)


def test_a_store_that_was_never_read_has_no_known_span(house: House, partner: Partner) -> None:
    (row,) = partner.get("stores").json()["data"]
    assert (row["known_from"], row["known_to"]) == (None, None)
    assert {hour["orders"] for hour in partner.get(path(house), **SPAN).json()["hours"]} == {None}


def test_another_tenants_store_is_not_found(selling: House, other: House, partner: Partner) -> None:
    assert_problem(partner.get(path(other), **SPAN), 404, "not_found")
    assert_problem(Partner(other).get(path(selling), **SPAN), 404, "not_found")
    assert_problem(partner.get("stores/str_nonsense/hours", **SPAN), 404, "not_found")


@pytest.mark.parametrize(
    "query",
    [
        {"from": "2026-11-20T14:30:00Z"},
        {"from": "2026-11-20T14:00:00Z", "to": "2026-11-20T14:00:00Z"},
        {"from": "2026-10-01T00:00:00Z", "to": "2026-11-20T14:00:00Z"},
        {"since": "2026-11-20T14:00:00Z"},
    ],
)
def test_refuses_a_span_that_is_none(query: dict[str, str], house: House, partner: Partner) -> None:
    assert_problem(partner.get(path(house), **query), 400, "invalid_parameter")


def test_one_end_leads_to_seven_days(house: House, partner: Partner) -> None:
    assert len(partner.get(path(house), to="2026-11-20T16:00:00Z").json()["hours"]) == 168


def test_a_key_that_may_not_read_sees_nothing(house: House) -> None:
    assert_problem(Partner(house, ("propose",)).get("stores"), 403, "forbidden")
