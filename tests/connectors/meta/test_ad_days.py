"""Meta's daily figures of ads, with purchases by attribution window."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from connectors.contracts import AdDayRecord, PurchaseRecord
from connectors.errors import ConfigurationError, MalformedReplyError
from connectors.meta.insights import ATTRIBUTION_WINDOWS
from tests.connectors.meta.answers import account, client, insight, listing, query
from tests.connectors.wire import Script, wire

DAY = date(2026, 11, 20)


def row(ad: str = "9", day: str = "2026-11-20", **figures: Any) -> dict[str, Any]:
    return insight(None, day, ad_id=ad, **figures)


def action(kind: str, value: str, **windows: str) -> dict[str, str]:
    return {"action_type": kind, "value": value} | {name.strip("_"): told for name, told in windows.items()}


def read_days(*scripts: Script, first: date = DAY, last: date = DAY) -> list[AdDayRecord]:
    with wire(account(), *scripts) as served:
        return list(client(served).ad_days(first, last))


def test_a_day_of_an_ad_that_sold_nothing() -> None:
    assert read_days(listing(row(actions=[action("link_click", "3")]))) == [
        AdDayRecord("9", "5", DAY, 1_500_000, 100, 3, None, ())
    ]


def test_purchases_and_their_value_come_by_attribution_window() -> None:
    actions = [action("omni_purchase", "4", _1d_click="2", _7d_click="3", _1d_view="1")]
    values = [action("omni_purchase", "129.98", _1d_click="60", _7d_click="100.5")]
    (found,) = read_days(listing(row(actions=actions, action_values=values)))
    assert found.purchases == (
        PurchaseRecord("default", 4, 129_980_000),
        PurchaseRecord("1d_click", 2, 60_000_000),
        PurchaseRecord("7d_click", 3, 100_500_000),
        PurchaseRecord("1d_view", 1, None),
    )


def test_one_sale_under_several_names_counts_once_by_the_first_of_them() -> None:
    names = ["onsite_web_purchase", "purchase", "omni_purchase", "offsite_conversion.fb_pixel_purchase"]
    actions = [action(name, str(number)) for number, name in enumerate(names, start=1)]
    values = [action(name, f"{number}0") for number, name in enumerate(names, start=1)]
    (every,) = read_days(listing(row(actions=actions, action_values=values)))
    assert every.purchases == (PurchaseRecord("default", 3, 30_000_000),)
    (some,) = read_days(listing(row(actions=actions[:1] + actions[3:], action_values=values[:1] + values[3:])))
    assert some.purchases == (PurchaseRecord("default", 4, 40_000_000),)


@pytest.mark.parametrize(
    ("told", "leads"),
    [
        ([], None),
        ([action("onsite_conversion.lead_grouped", "5")], 5),
        ([action("onsite_conversion.lead_grouped", "5"), action("lead", "7")], 7),
    ],
)
def test_leads_are_counted_once_and_unknown_where_meta_names_none(told: list[Any], leads: int | None) -> None:
    (found,) = read_days(listing(row(actions=told)))
    assert found.leads == leads


def test_the_dust_of_floats_in_a_value_is_rounded_away() -> None:
    told = [action("purchase", "254.97000000000003")]
    (found,) = read_days(listing(row(actions=[action("purchase", "2")], action_values=told)))
    assert found.purchases == (PurchaseRecord("default", 2, 254_970_000),)


def test_days_ascend_and_those_without_figures_are_absent() -> None:
    rows = [row("9"), row("8", "2026-11-19"), row("8", spend=None), row("7", "2026-11-19")]
    found = read_days(listing(*rows), first=date(2026, 11, 19))
    assert [(d.day.day, d.ad_external_id) for d in found] == [(19, "7"), (19, "8"), (20, "9")]


@pytest.mark.parametrize(
    "broken",
    [
        {"ad_id": None},
        {"adset_id": None},
        {"date_start": "2026-11-18"},
        {"date_start": None},
        {"spend": "-1"},
        {"actions": {}},
        {"actions": ["purchase"]},
        {"actions": [action("purchase", "1.5")]},
        {"actions": [{"action_type": 5, "value": "1"}]},
        {"actions": [action("purchase", "1")], "action_values": [action("purchase", "-1")]},
        {"actions": [action("purchase", "1")], "action_values": [action("purchase", "NaN")]},
    ],
)
def test_a_day_of_an_unknown_shape_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedReplyError):
        read_days(listing(row() | broken))


def test_the_same_day_of_an_ad_twice_is_refused() -> None:
    with pytest.raises(MalformedReplyError):
        read_days(listing(row(), after="a"), listing(row()))


def test_days_are_asked_for_per_ad_and_with_every_window() -> None:
    with wire(account(), listing()) as served:
        assert list(client(served).ad_days(DAY, DAY)) == []
        asked = query(served.requests[-1])
    assert (asked["level"], asked["time_increment"]) == (["ad"], ["1"])
    assert json.loads(asked["action_attribution_windows"][0]) == list(ATTRIBUTION_WINDOWS)
    assert "breakdowns" not in asked


def test_days_reach_thirty_seven_months_back() -> None:
    with wire(account(), listing()) as served:
        ads = client(served)
        assert list(ads.ad_days(date(2023, 10, 21), date(2023, 10, 21))) == []
        with pytest.raises(ConfigurationError, match="37 months"):
            list(ads.ad_days(date(2023, 10, 20), DAY))


def test_no_days_are_no_request() -> None:
    with wire(account()) as served:
        assert list(client(served).ad_days(DAY, date(2026, 11, 19))) == []
        assert served.requests == []
