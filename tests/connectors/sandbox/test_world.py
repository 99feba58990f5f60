"""The world behind the faces: what can be created in it, how it learns, what it reports and remembers."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.sandbox import reports
from connectors.sandbox.journal import Journal
from connectors.sandbox.logins import SCOPES
from connectors.sandbox.reports import Row
from connectors.sandbox.server import running_sandbox
from connectors.sandbox.tenants import OFF, ON, Account, AdObject
from connectors.sandbox.world import Change, Config, World
from tests.connectors.sandbox.conftest import START
from tests.connectors.sandbox.visitor import Visitor

TODAY = START.date()
UNIT = 1_000_000


def world(days: int = 2, state: Path | None = None, **config: Any) -> World:
    return World(Config(start=START, days=days, **config), Journal(state))


def account(made: World, platform: str = "meta") -> Account:
    return made.accounts_of(0, platform)[0]


def first(made: World, kind: str = "ad_set", platform: str = "meta") -> AdObject:
    return made.account_objects(account(made, platform).id, kind)[0]


def pooled(made: World, platform: str = "meta") -> AdObject:
    """The campaign that carries the budget of its ad sets."""
    return made.account_objects(account(made, platform).id, "campaign")[-1]


def put(made: World, thing: AdObject, attribute: str, value: Any) -> None:
    made.write(Change(thing, attribute, attribute, None, value, value), "api")


def pass_hours(made: World, hours: float) -> None:
    made.advance_to(made.now + timedelta(hours=hours))


def new_ad_set(made: World, platform: str = "meta", daily_budget: int | None = 40 * UNIT, **more: Any) -> AdObject:
    """An ad set with one ad, all on, in a campaign that has no budget of its own."""
    owner, on = account(made, platform), ON[platform]
    campaign = first(made, "campaign", platform)
    ad_set = made.create(owner, "ad_set", campaign.id, "Fresh", status=on, daily_budget=daily_budget, **more)
    made.create(owner, "ad", ad_set.id, "Fresh ad", status=on)
    return ad_set


def told(
    made: World, platform: str = "meta", level: str = "ad_set", by_hour: bool = False, back: int = 40
) -> list[Row]:
    owner = account(made, platform)
    days = TODAY - timedelta(days=back), made.now.astimezone(made.zone(owner)).date()
    ad_sets = made.account_objects(owner.id, "ad_set")
    return reports.rows(made, owner, ad_sets, days, level=level, by_day=True, by_hour=by_hour)


def of(rows: list[Row], thing: AdObject) -> list[Row]:
    return [row for row in rows if row.target is not None and row.target.id == thing.id]


def plain(rows: list[Row]) -> list[tuple[Any, ...]]:
    return [(row.target.id if row.target else "", row.day, row.hour, row.figures) for row in rows]


def spend(rows: list[Row]) -> int:
    return sum(row.figures.spend for row in rows)


@pytest.mark.parametrize("platform", ["meta", "tiktok"])
def test_a_new_ad_set_leaves_the_figures_of_the_others_as_they_were(platform: str) -> None:
    quiet, grown = world(days=12), world(days=12)
    made = [new_ad_set(grown, platform) for _ in range(3)]
    for each in (quiet, grown):
        pass_hours(each, 24 * 12)
    new = {ad_set.id for ad_set in made}
    for side in ("meta", "tiktok"):
        others = [row for row in told(grown, side) if row.target is not None and row.target.id not in new]
        assert plain(others) == plain(told(quiet, side))
    assert all(spend(of(told(grown, platform), ad_set)) > 0 for ad_set in made)


def test_hours_before_an_ad_set_existed_stay_readable_and_know_nothing_of_it() -> None:
    made = world()
    before = plain(told(made, by_hour=True))
    ad_set = new_ad_set(made)
    assert plain(told(made, by_hour=True)) == before
    pass_hours(made, 3)
    rows = told(made, by_hour=True)
    assert plain(rows)[: len(before) // 2] == before[: len(before) // 2]
    assert min((row.day, row.hour) for row in of(rows, ad_set)) == (
        TODAY,
        START.astimezone(made.zone(account(made))).hour,
    )


def test_an_ad_set_delivers_only_with_a_budget_and_everything_above_and_below_it_on() -> None:
    made = world()
    owner = account(made)
    campaign = made.create(owner, "campaign", owner.id, "C", status="ACTIVE")
    ad_set = made.create(owner, "ad_set", campaign.id, "S", status="ACTIVE")
    ad = made.create(owner, "ad", ad_set.id, "A", status="ACTIVE")

    def spends() -> bool:
        pass_hours(made, 4)
        return any(hour.spend_micros[ad_set.column] for hour in made.market.history[-4:])

    assert not spends()
    put(made, ad_set, "daily_budget", 50 * UNIT)
    assert spends()
    for thing in (ad, ad_set, campaign):
        put(made, thing, "status", "PAUSED")
        assert not spends()
        put(made, thing, "status", "ACTIVE")
        assert spends()
    put(made, ad_set, "daily_budget", None)
    assert not spends()
    put(made, campaign, "daily_budget", 80 * UNIT)
    assert spends()


def test_a_creation_has_an_id_of_its_account_and_is_booked_as_are_refused_ones() -> None:
    made = world()
    owner = account(made)
    kinds = ("campaign", "ad_set", "ad")
    last = [made.account_objects(owner.id, kind)[-1] for kind in kinds]
    parents = [owner.id, last[0].id, last[1].id]
    new = [
        made.create(owner, kind, parent, f"New {kind}", status="PAUSED", extra={"objective": "OUTCOME_SALES"})
        for kind, parent in zip(kinds, parents, strict=True)
    ]
    assert [int(thing.id) for thing in new] == [int(thing.id) + 1 for thing in last]
    assert [made.account_objects(owner.id, kind)[-1] for kind in kinds] == new
    creative = made.create(owner, "creative", owner.id, "Film", status="ACTIVE", extra={"body": "Buy <b>now</b>"})
    assert made.objects[creative.id].extra == {"body": "Buy <b>now</b>"}
    row = dict(made.ledger[-1])
    assert (row["object_id"], row["account"], row["platform"]) == (creative.id, owner.id, "meta")
    assert (row["field"], row["old"], row["new"], row["result"], row["code"]) == (
        "created",
        None,
        "Film",
        "applied",
        "",
    )
    made.refuse_create(owner, "ad", "100/1885272")
    row = dict(made.ledger[-1])
    assert (row["object_id"], row["field"], row["result"], row["code"]) == ("", "created", "refused", "100/1885272")
    assert len(made.objects) == len({thing.id for thing in made.objects.values()})


def test_what_was_created_and_edited_is_there_after_a_restart_with_the_same_market(tmp_path: Path) -> None:
    lived = world(state=tmp_path / "state")
    ad_set = new_ad_set(lived, "tiktok", extra={"bid_type": "BID_TYPE_NO_BID", "placements": ["PLACEMENT_TIKTOK"]})
    pass_hours(lived, 30)
    put(lived, ad_set, "extra.bid_type", "BID_TYPE_CUSTOM")
    put(lived, ad_set, "name", "Renamed")
    put(lived, lived.children[ad_set.id][0], "status", "DISABLE")
    pass_hours(lived, 3)
    lived.create(account(lived, "tiktok"), "ad", ad_set.id, "Second", status="ENABLE")
    pass_hours(lived, 30)
    lived.close()
    again = World(Config(days=2), Journal(tmp_path / "state"))
    assert list(again.objects.items()) == list(lived.objects.items())
    assert (again.ledger, again.orders, again.now) == (lived.ledger, lived.orders, lived.now)
    assert again.objects[ad_set.id].extra["bid_type"] == "BID_TYPE_CUSTOM"
    for level in ("ad", "ad_set"):
        assert plain(told(again, "tiktok", level)) == plain(told(lived, "tiktok", level))
    assert new_ad_set(again, "tiktok").id == str(int(ad_set.id) + 1)
    again.close()


def test_the_true_return_of_a_new_ad_set_comes_from_seed_and_place_and_lies_between_a_half_and_four() -> None:
    made, other = world(), world(seed=8)
    returns = []
    for each in (made, world(), other):
        ad_sets = [new_ad_set(each) for _ in range(30)]
        returns.append([float(each.market.parameters.roas[ad_set.column]) for ad_set in ad_sets])
    assert returns[0] == returns[1] != returns[2]
    assert 0.5 <= min(returns[0]) < 1 and 2 < max(returns[0]) <= 4


def test_an_ad_set_learns_for_seven_days_after_its_creation() -> None:
    made = world()
    assert not any(made.in_learning(thing) for thing in made.columns)
    ad_set = new_ad_set(made, daily_budget=UNIT)
    pass_hours(made, 7 * 24 - 1)
    assert made.in_learning(ad_set)
    pass_hours(made, 1)
    assert not made.in_learning(ad_set)


def test_fifty_purchases_end_the_learning_phase_early() -> None:
    made = world()
    ad_set = new_ad_set(made, daily_budget=20_000 * UNIT)
    assert made.in_learning(ad_set)
    pass_hours(made, 24)
    assert not made.in_learning(ad_set)


@pytest.mark.parametrize(
    ("attribute", "factor", "learns"),
    [("daily_budget", 1.2, False), ("daily_budget", 1.21, True), ("daily_budget", 0.79, True)],
)
def test_a_budget_moved_by_more_than_a_fifth_starts_learning_again(attribute: str, factor: float, learns: bool) -> None:
    made = world()
    ad_set, campaign = first(made), pooled(made)
    for thing, judged in ((ad_set, [ad_set]), (campaign, made.children[campaign.id])):
        put(made, thing, attribute, round((thing.daily_budget or 0) * factor))
        assert [made.in_learning(each) for each in judged] == [learns] * len(judged)


def test_another_bid_starts_learning_again_and_a_name_does_not() -> None:
    made = world()
    ad_set = first(made)
    put(made, ad_set, "name", "Other")
    put(made, ad_set, "extra.targeting", {"age_min": 30})
    put(made, ad_set, "status", "PAUSED")
    assert not made.in_learning(ad_set)
    put(made, ad_set, "extra.bid_amount", 500)
    assert made.in_learning(ad_set)


def test_a_scheduled_budget_starts_learning_when_it_takes_effect() -> None:
    made = world()
    ad_set = first(made, platform="tiktok")
    put(made, ad_set, "scheduled_budget", 90 * UNIT)
    since = made.now
    pass_hours(made, 24)
    assert (ad_set.daily_budget, ad_set.scheduled_budget) == (90 * UNIT, None)
    assert ad_set.learning_since is not None and ad_set.learning_since > since


def test_an_ad_that_goes_off_leaves_its_share_to_the_others() -> None:
    made = world()
    ad_set = first(made)
    ads = list(made.children[ad_set.id])
    pass_hours(made, 5)
    put(made, ads[0], "status", "PAUSED")
    seen = [spend(of(told(made, level="ad"), ad)) for ad in ads]
    assert seen[0] > seen[1] > 0
    third = made.create(account(made), "ad", ad_set.id, "Third", status="ACTIVE")
    pass_hours(made, 5)
    after = [spend(of(told(made, level="ad"), ad)) for ad in (*ads, third)]
    assert after[0] == pytest.approx(seen[0], rel=0.05)  # Meta still completes its newest hours
    assert after[1] > seen[1] and after[2] > 0
    assert sum(after) == spend(of(told(made), ad_set))


def test_a_gmv_max_campaign_delivers_through_a_hidden_ad_set_without_ads() -> None:
    made = world()
    owner = account(made, "tiktok")
    campaign = made.create(
        owner, "campaign", owner.id, "Max", status="ENABLE", daily_budget=400 * UNIT, family="gmv_max"
    )
    hidden = made.create(owner, "ad_set", campaign.id, "", status="ENABLE", family="gmv_max")
    pass_hours(made, 48)
    assert spend(of(told(made, "tiktok", "campaign"), campaign)) == spend(of(told(made, "tiktok"), hidden)) > 0
    assert sum(row.figures.purchases for row in of(told(made, "tiktok"), hidden)) > 0
    put(made, campaign, "status", OFF["tiktok"])
    before = spend(of(told(made, "tiktok"), hidden))
    pass_hours(made, 2)
    assert spend(of(told(made, "tiktok"), hidden)) == before


def test_a_merchant_may_have_several_accounts_that_one_token_opens(tmp_path: Path) -> None:
    with running_sandbox(start=START, days=1, accounts=3, state=tmp_path / "state") as running:
        who = Visitor(running.url, tenant=1).who
        made = running.world
    for platform, name, several in (
        ("meta", "account_id", "account_ids"),
        ("tiktok", "advertiser_id", "advertiser_ids"),
    ):
        owned = made.accounts_of(1, platform)
        assert [each.id for each in owned] == who[platform][several]
        assert who[platform][name] == who[platform][several][0]
        assert {each.token for each in owned} == {who[platform]["access_token"]}
        assert len({each.name for each in owned}) == 3
        assert all(len(made.account_objects(each.id, "ad_set")) == 6 for each in owned)
    assert len(made.accounts) == 12 and len(made.objects) == 12 * (6 + 12 + 3)
    assert len({o.column for o in made.columns}) == len(made.columns) == 72
    assert all(made.market.parameters.tenant[o.column] == made.accounts[o.account].tenant for o in made.columns)
    assert all(made.market.parameters.is_meta[o.column] == (o.platform == "meta") for o in made.columns)


def test_a_state_file_from_before_there_were_several_accounts_is_understood(tmp_path: Path) -> None:
    state = tmp_path / "state"
    world(state=state).close()
    state.write_text(state.read_text().replace(',"accounts":1', ""))
    again = world(state=state)
    assert len(again.accounts) == 4
    again.close()


@pytest.mark.parametrize("platform", ["meta", "tiktok"])
def test_longer_attribution_windows_hold_the_shorter_ones_and_the_default_is_seven_days_and_views(
    platform: str,
) -> None:
    made = world(days=40)
    windows: dict[str, list[tuple[int, int]]] = {"1d_click": [], "7d_click": [], "28d_click": [], "1d_view": []}
    for row in told(made, platform):
        found = row.figures.purchases_by_window
        assert set(found) == set(windows)
        for name, figures in found.items():
            windows[name].append(figures)
        for k, whole in enumerate((row.figures.purchases, row.figures.value)):
            assert found["1d_click"][k] <= found["7d_click"][k] <= found["28d_click"][k]
            assert found["7d_click"][k] + found["1d_view"][k] == whole
    total = {name: sum(count for count, _ in figures) for name, figures in windows.items()}
    assert 0 < total["1d_view"] < total["1d_click"] < total["7d_click"] < total["28d_click"]
    assert all(row.figures.purchases_by_window == {} for row in told(made, platform, by_hour=True))


def by_day(made: World, platform: str, window: str | None) -> dict[date | None, int]:
    found: dict[date | None, int] = {}
    for row in told(made, platform):
        figures = row.figures
        count = figures.purchases if window is None else figures.purchases_by_window[window][0]
        found[row.day] = found.get(row.day, 0) + count
    return found


@pytest.mark.parametrize("platform", ["meta", "tiktok"])
def test_past_days_are_restated_for_up_to_28_days(platform: str) -> None:
    made = world(days=30, ad_sets=40)
    default, longest = by_day(made, platform, None), by_day(made, platform, "28d_click")
    pass_hours(made, 24 * 30)
    moved = {day for day, count in by_day(made, platform, None).items() if count > default.get(day, count)}
    late = {day for day, count in by_day(made, platform, "28d_click").items() if count > longest.get(day, count)}
    assert {TODAY - timedelta(days=1), TODAY - timedelta(days=2)} <= moved
    assert min(day for day in moved if day) >= TODAY - timedelta(days=9)
    assert TODAY - timedelta(days=28) <= min(day for day in late if day) < TODAY - timedelta(days=14)


def test_tiktok_corrects_yesterday_at_noon_utc() -> None:
    made = world(days=3, ad_sets=40)
    made.advance_to(START.replace(hour=11) + timedelta(days=1))
    before = [row for row in told(made, "tiktok", by_hour=True) if row.day == TODAY]
    pass_hours(made, 1)
    after = [row for row in told(made, "tiktok", by_hour=True) if row.day == TODAY]
    assert spend(after) < spend(before)
    assert sum(row.figures.purchases for row in after) > sum(row.figures.purchases for row in before)


def test_a_report_asked_again_is_the_same_until_something_happens() -> None:
    made = world()
    before = told(made, level="ad")
    before.clear()  # whoever got it may do with it what he likes
    ad_set = first(made)
    again = told(made, level="ad")
    assert again
    made.create(account(made), "ad", ad_set.id, "Third", status="ACTIVE")
    pass_hours(made, 0.5)
    assert plain(told(made, level="ad"))
    pass_hours(made, 1)
    assert len(of(told(made, level="ad"), made.children[ad_set.id][2])) == 1


def test_planted_tokens_open_everything_of_their_tenant() -> None:
    made = world(tenants=3)
    for owner in made.accounts.values():
        token = made.logins.find(owner.platform, owner.token)
        assert token is not None
        assert (token.tenant, token.scopes, token.expires_at) == (owner.tenant, SCOPES[owner.platform], None)
