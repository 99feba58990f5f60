"""What is sent to TikTok when something is to change, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.contracts import (
    AdSetRecord,
    Bid,
    BidStrategy,
    CampaignRecord,
    DeliveryStatus,
    Family,
    Held,
    Level,
    Target,
)
from connectors.errors import (
    AuthenticationError,
    BelowMinimumError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    UnverifiedError,
)
from connectors.tiktok.client import TikTokAds
from tests.connectors.tiktok.answers import (
    AD,
    AD_SET,
    CAMPAIGN,
    SHOP_AD_SET,
    SHOP_CAMPAIGN,
    SMART_AD_SET,
    TOKEN,
    Answers,
    account,
    ad,
    ad_group,
    body,
    campaign,
    client,
    data,
    error,
    listing,
    shop_campaign,
    tiktok,
    verb,
    writes,
)
from tests.connectors.wire import Script, hangs_up, says

UNIT = 1_000_000
Change = Callable[[TikTokAds], Held]
LIFETIME = {"budget_mode": "BUDGET_MODE_TOTAL", "budget": 500.0}
POOLED = {"budget_mode": "BUDGET_MODE_DAY", "budget": 100.0, "budget_optimize_on": True}
SHOP: Answers = {
    "gmv_max/campaign/get/": listing(shop_campaign()),
    "campaign/gmv_max/info/": data(**shop_campaign()),
}


def sent_by(change: Change, answers: Answers, **options: Any) -> tuple[Held, str, dict[str, Any]]:
    """What the change returns, and path and body of the one request that it sent."""
    with tiktok(answers) as served:
        found = change(client(served, **options))
        (request,) = writes(served)
        assert served.requests[-1] != request
        assert f"access-token: {TOKEN}" in request.lower()
        return found, verb(request).removeprefix("POST "), body(request)


def groups(*found: dict[str, Any]) -> Answers:
    return {"adgroup/get/": [listing(each) for each in found]}


def test_a_daily_budget_is_sent_once_and_what_tiktok_holds_is_returned() -> None:
    answers = groups(ad_group(), ad_group(budget=24.5))
    found, path, sent = sent_by(lambda t: t.set_daily_budget(AD_SET, 25 * UNIT), answers)
    assert (path, sent) == ("adgroup/update/", {"advertiser_id": "7", "adgroup_id": "5", "budget": 25.0})
    assert isinstance(found, AdSetRecord)
    assert found.daily_budget_micros == 24_500_000


def test_a_lifetime_budget_is_the_same_field_of_another_mode() -> None:
    answers = groups(ad_group(**LIFETIME), ad_group(**LIFETIME | {"budget": 600}))
    found, path, sent = sent_by(lambda t: t.set_lifetime_budget(AD_SET, 600 * UNIT), answers)
    assert (path, sent["budget"]) == ("adgroup/update/", 600)
    assert isinstance(found, AdSetRecord)
    assert (found.daily_budget_micros, found.lifetime_budget_micros) == (None, 600 * UNIT)


def test_a_campaign_that_shares_its_budget_takes_a_new_one() -> None:
    answers = {"campaign/get/": [listing(campaign(**POOLED)), listing(campaign(**POOLED | {"budget": 120.0}))]}
    found, path, sent = sent_by(lambda t: t.set_daily_budget(CAMPAIGN, 120 * UNIT), answers)
    assert (path, sent) == ("campaign/update/", {"advertiser_id": "7", "campaign_id": "3", "budget": 120.0})
    assert isinstance(found, CampaignRecord)
    assert found.daily_budget_micros == 120 * UNIT


@pytest.mark.parametrize(
    ("currency", "micros", "digits"),
    [
        ("USD", 20_100_000, "20.1"),
        ("USD", 9_999_999_990_000, "9999999.99"),
        ("USD", 70_070_000, "70.07"),
        ("JPY", 2_000 * UNIT, "2000.0"),
        ("IDR", 300_001 * UNIT, "300001.0"),
    ],
)
def test_a_budget_is_sent_with_exactly_its_digits(currency: str, micros: int, digits: str) -> None:
    with tiktok({"advertiser/info/": account(currency=currency), **groups(ad_group())}) as served:
        client(served).set_daily_budget(AD_SET, micros)
        assert writes(served)[0].endswith(f'{{"advertiser_id":"7","adgroup_id":"5","budget":{digits}}}')


def account_in(currency: str) -> Answers:
    return {"advertiser/info/": account(currency=currency), **groups(ad_group())}


UNSENDABLE: dict[str, tuple[Change, Answers]] = {
    "finer than a cent": (lambda t: t.set_daily_budget(AD_SET, 50 * UNIT + 1), groups(ad_group())),
    "finer than a yen": (lambda t: t.set_daily_budget(AD_SET, 2_000_500_000), account_in("JPY")),
    "nothing": (lambda t: t.set_daily_budget(AD_SET, 0), groups(ad_group())),
    "daily on a lifetime ad group": (lambda t: t.set_daily_budget(AD_SET, 50 * UNIT), groups(ad_group(**LIFETIME))),
    "lifetime on a daily ad group": (lambda t: t.set_lifetime_budget(AD_SET, 50 * UNIT), groups(ad_group())),
    "an ad group whose campaign shares": (
        lambda t: t.set_daily_budget(AD_SET, 50 * UNIT),
        groups(ad_group(budget_mode="BUDGET_MODE_INFINITE", budget=0.0)),
    ),
    "a campaign without a budget": (
        lambda t: t.set_daily_budget(CAMPAIGN, 50 * UNIT),
        {"campaign/get/": listing(campaign())},
    ),
    "an ad": (lambda t: t.set_daily_budget(AD, 50 * UNIT), {"ad/get/": listing(ad())}),
    "a lifetime of an ad": (lambda t: t.set_lifetime_budget(AD, 50 * UNIT), {"ad/get/": listing(ad())}),
    "GMV Max by its campaign": (lambda t: t.set_daily_budget(SHOP_CAMPAIGN, 50 * UNIT), SHOP),
    "GMV Max for its life": (lambda t: t.set_lifetime_budget(SHOP_AD_SET, 50 * UNIT), SHOP),
    "removed": (lambda t: t.set_status(AD_SET, DeliveryStatus.REMOVED), {}),
    "an ad of GMV Max": (lambda t: t.set_status(Target(Level.AD, "9", Family.GMV_MAX), DeliveryStatus.PAUSED), {}),
    "an ad that bids": (lambda t: t.set_bid(AD, Bid(BidStrategy.LOWEST_COST)), {}),
    "a campaign that bids": (lambda t: t.set_bid(CAMPAIGN, Bid(BidStrategy.LOWEST_COST)), {}),
    "GMV Max without a return": (lambda t: t.set_bid(SHOP_AD_SET, Bid(BidStrategy.LOWEST_COST)), SHOP),
    "a cap without an amount": (lambda t: t.set_bid(AD_SET, Bid(BidStrategy.COST_CAP)), groups(ad_group())),
    "an amount without a cap": (lambda t: t.set_bid(AD_SET, Bid(BidStrategy.LOWEST_COST, UNIT)), groups(ad_group())),
    "a cap of nothing": (lambda t: t.set_bid(AD_SET, Bid(BidStrategy.BID_CAP, 0)), groups(ad_group())),
    "a cap finer than a cent": (lambda t: t.set_bid(AD_SET, Bid(BidStrategy.COST_CAP, 1)), groups(ad_group())),
    "no return": (lambda t: t.set_bid(AD_SET, Bid(BidStrategy.MINIMUM_ROAS)), groups(ad_group())),
    "a return for an ad group": (lambda t: t.set_target_roi(AD_SET, 2 * UNIT), groups(ad_group())),
    "a return for a campaign": (lambda t: t.set_target_roi(CAMPAIGN, 2 * UNIT), {}),
    **{
        f"a return of {ppm}": (lambda t, ppm=ppm: t.set_target_roi(SHOP_CAMPAIGN, ppm), SHOP)  # type: ignore[misc]
        for ppm in (0, -10_000, 9_999, 1_005_000, 1_000_010_000)
    },
}


@pytest.mark.parametrize("what", UNSENDABLE)
def test_what_tiktok_cannot_hold_is_not_sent(what: str) -> None:
    change, answers = UNSENDABLE[what]
    with tiktok(answers) as served:
        with pytest.raises(ConfigurationError):
            change(client(served))
        assert writes(served) == []


FLOORS: list[tuple[Target, str, str, int, Any]] = [
    (AD_SET, "daily", "USD", 20, groups(ad_group())),
    (AD_SET, "lifetime", "USD", 20, groups(ad_group(**LIFETIME))),
    (AD_SET, "daily", "JPY", 2_000, groups(ad_group())),
    (CAMPAIGN, "daily", "USD", 50, {"campaign/get/": listing(campaign(**POOLED))}),
    (CAMPAIGN, "daily", "IDR", 500_000, {"campaign/get/": listing(campaign(**POOLED))}),
    (SMART_AD_SET, "daily", "USD", 20, {"smart_plus/adgroup/get/": listing(ad_group())}),
    (SHOP_AD_SET, "daily", "USD", 10, SHOP),
]


@pytest.mark.parametrize(("target", "kind", "currency", "floor", "answers"), FLOORS)
def test_less_than_the_floor_of_level_family_and_currency_is_not_sent(
    target: Target, kind: str, currency: str, floor: int, answers: Answers
) -> None:
    step = UNIT if currency in ("JPY", "IDR") else UNIT // 100
    with tiktok({**answers, "advertiser/info/": account(currency=currency)}) as served:
        ads = client(served)
        write = ads.set_daily_budget if kind == "daily" else ads.set_lifetime_budget
        with pytest.raises(BelowMinimumError):
            write(target, floor * UNIT - step)
        assert writes(served) == []
        write(target, floor * UNIT)
        assert len(writes(served)) == 1


STATUSES = [
    (CAMPAIGN, {"campaign/get/": listing(campaign())}, "campaign/status/update/", "campaign_ids"),
    (AD_SET, groups(ad_group()), "adgroup/status/update/", "adgroup_ids"),
    (AD, {"ad/get/": listing(ad())}, "ad/status/update/", "ad_ids"),
    (SHOP_CAMPAIGN, SHOP, "campaign/status/update/", "campaign_ids"),
    (SHOP_AD_SET, SHOP, "campaign/status/update/", "campaign_ids"),
]


@pytest.mark.parametrize(("target", "answers", "path", "key"), STATUSES)
@pytest.mark.parametrize(("status", "word"), [(DeliveryStatus.ACTIVE, "ENABLE"), (DeliveryStatus.PAUSED, "DISABLE")])
def test_every_level_is_paused_and_enabled(
    target: Target, answers: Answers, path: str, key: str, status: DeliveryStatus, word: str
) -> None:
    found, sent_to, sent = sent_by(lambda t: t.set_status(target, status), answers)
    assert (sent_to, sent) == (path, {"advertiser_id": "7", key: [target.external_id], "operation_status": word})
    assert found.external_id == target.external_id
    assert found.status is DeliveryStatus.ACTIVE


HELD_RETURN = {"bid_type": "BID_TYPE_NO_BID", "deep_bid_type": "VO_MIN_ROAS", "roas_bid": 1.5}
HELD_PRICE = {"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 5.0}
BIDS: list[tuple[Bid, dict[str, Any], dict[str, Any]]] = [
    (Bid(BidStrategy.LOWEST_COST), HELD_PRICE, {"bid_type": "BID_TYPE_NO_BID"}),
    (
        Bid(BidStrategy.LOWEST_COST),
        HELD_RETURN,
        {"bid_type": "BID_TYPE_NO_BID", "deep_bid_type": "VO_HIGHEST_VALUE"},
    ),
    (Bid(BidStrategy.BID_CAP, 2_500_000), {}, {"bid_type": "BID_TYPE_CUSTOM", "bid_price": 2.5}),
    (Bid(BidStrategy.COST_CAP, 19_990_000), {}, {"bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 19.99}),
    (Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_230_000), {}, HELD_RETURN | {"roas_bid": 1.23}),
    (Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_230_000), HELD_PRICE, HELD_RETURN | {"roas_bid": 1.23}),
]


@pytest.mark.parametrize(("bid", "held", "told"), BIDS)
def test_a_bid_is_written_and_reads_back_the_same(bid: Bid, held: dict[str, Any], told: dict[str, Any]) -> None:
    found, path, sent = sent_by(lambda t: t.set_bid(AD_SET, bid), groups(ad_group(**held), ad_group(**told)))
    assert (path, sent) == ("adgroup/update/", {"advertiser_id": "7", "adgroup_id": "5", **told})
    assert isinstance(found, AdSetRecord)
    assert found.bid == bid


def test_an_update_of_smart_plus_tells_the_new_price_and_no_types() -> None:
    answers = {"smart_plus/adgroup/get/": listing(ad_group(**HELD_PRICE))}
    _, path, sent = sent_by(lambda t: t.set_bid(SMART_AD_SET, Bid(BidStrategy.COST_CAP, 6 * UNIT)), answers)
    assert (path, sent) == (
        "smart_plus/adgroup/update/",
        {"advertiser_id": "7", "adgroup_id": "5", "conversion_bid_price": 6.0},
    )


@pytest.mark.parametrize("bid", [Bid(BidStrategy.LOWEST_COST), Bid(BidStrategy.BID_CAP, 6 * UNIT)])
@pytest.mark.parametrize("held", [HELD_PRICE, {}])
def test_smart_plus_cannot_be_made_to_bid_otherwise(bid: Bid, held: dict[str, Any]) -> None:
    with tiktok({"smart_plus/adgroup/get/": listing(ad_group(**held))}) as served:
        with pytest.raises(ConfigurationError):
            client(served).set_bid(SMART_AD_SET, bid)
        assert writes(served) == []


@pytest.mark.parametrize("target", [SHOP_CAMPAIGN, SHOP_AD_SET])
@pytest.mark.parametrize(("ppm", "digits"), [(10_000, 0.01), (2_750_000, 2.75), (1_000_000_000, 1000.0)])
def test_a_gmv_max_campaign_is_given_a_return_to_aim_at(target: Target, ppm: int, digits: float) -> None:
    wanted = Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=ppm)
    held = shop_campaign(roas_bid=digits)
    answers: Answers = {"gmv_max/campaign/get/": listing(held), "campaign/gmv_max/info/": data(**held)}
    changes: list[Change] = [lambda t: t.set_target_roi(target, ppm), lambda t: t.set_bid(target, wanted)]
    for change in changes:
        found, path, sent = sent_by(change, answers)
        assert path == "campaign/gmv_max/update/"
        assert sent == {"advertiser_id": "7", "campaign_id": "30", "roas_bid": digits}
        assert isinstance(found, CampaignRecord | AdSetRecord)
        assert found.bid == wanted


def test_the_budget_of_a_gmv_max_campaign_is_that_of_its_ad_set() -> None:
    _, path, sent = sent_by(lambda t: t.set_daily_budget(SHOP_AD_SET, 30 * UNIT), SHOP)
    assert (path, sent) == (
        "campaign/gmv_max/update/",
        {"advertiser_id": "7", "campaign_id": "30", "budget": 30.0},
    )


def test_a_full_update_sends_the_settings_that_are_held_along() -> None:
    held = ad_group(**HELD_PRICE, dayparting="1" * 336, age_groups=["AGE_25_34"], languages=[], gender=None)
    held |= {"comment_disabled": False, "roas_bid": 0.0, "campaign_name": "C", "modify_time": "2026-11-20 00:00:00"}
    _, _, sent = sent_by(lambda t: t.set_daily_budget(AD_SET, 25 * UNIT), groups(held), full_update=True)
    assert sent == {
        "advertiser_id": "7",
        "adgroup_id": "5",
        "adgroup_name": "N",
        "dayparting": "1" * 336,
        "age_groups": ["AGE_25_34"],
        "comment_disabled": False,
        "bid_type": "BID_TYPE_CUSTOM",
        "conversion_bid_price": 5.0,
        "budget": 25.0,
    }


def test_a_full_update_of_the_bid_sends_neither_the_old_one_nor_the_budget() -> None:
    answers = groups(ad_group(**HELD_PRICE))
    _, _, sent = sent_by(lambda t: t.set_bid(AD_SET, Bid(BidStrategy.LOWEST_COST)), answers, full_update=True)
    assert sent == {"advertiser_id": "7", "adgroup_id": "5", "adgroup_name": "N", "bid_type": "BID_TYPE_NO_BID"}


BUSY, STRANGE = error(50002), data(list=[{"adgroup_id": None}])


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("broken", [BUSY, STRANGE, error(40100), hangs_up, says(b"<html>", 502)])
@pytest.mark.parametrize("path", ["adgroup/get/", "advertiser/info/"])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_write_for_want_of_what_is_held_is_not_sent(path: str, broken: Script, is_whole: bool) -> None:
    changes: list[Change] = [
        lambda t: t.set_daily_budget(AD_SET, 51 * UNIT),
        lambda t: t.set_bid(AD_SET, Bid(BidStrategy.COST_CAP, UNIT)),
    ]
    for change in changes:
        with tiktok({**groups(ad_group()), path: broken}) as served:
            with pytest.raises(NotSentError):
                change(client(served, full_update=is_whole))
            assert writes(served) == []


def test_an_ad_group_that_is_not_there_is_refused() -> None:
    with tiktok({}) as served:
        with pytest.raises(RefusedError):
            client(served).set_daily_budget(AD_SET, 51 * UNIT)
        assert writes(served) == []


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("answer", [BUSY, STRANGE, listing(), hangs_up, says(b"<html>"), error(40105), data()])
def test_a_write_that_cannot_be_read_back_is_unverified_and_never_repeated(answer: Script) -> None:
    with tiktok({"adgroup/get/": answer}) as served:
        with pytest.raises(UnverifiedError):
            client(served).set_status(AD_SET, DeliveryStatus.PAUSED)
        assert len(writes(served)) == 1


PARTLY: dict[str, Any] = {"error_list": [{"adgroup_id": "5", "error_code": 40002, "error_message": "too late"}]}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (error(40002), RefusedError),
        (error(40012), RefusedError),
        (error(40007), RefusedError),
        (error(40001), RefusedError),
        (error(40400), RefusedError),
        (error(40067), RefusedError),
        (error(40105), AuthenticationError),
        (error(40100), RateLimitedError),
        (error(40016), OutcomeUnknownError),
        (error(40050), OutcomeUnknownError),
        (error(40202), OutcomeUnknownError),
        (error(50002), OutcomeUnknownError),
        (error(99999), OutcomeUnknownError),
        (error(20001, **PARTLY), RefusedError),
        (error(0, **PARTLY), RefusedError),
        (error(20001), OutcomeUnknownError),
        (error(20001, error_list=[{"adgroup_id": "5"}]), OutcomeUnknownError),
        (says({"message": "OK"}), OutcomeUnknownError),
        (says(b"<html>", 502), OutcomeUnknownError),
        (hangs_up, OutcomeUnknownError),
    ],
)
def test_a_write_that_fails_says_how_and_is_never_repeated(answer: Script, kind: type[Exception]) -> None:
    with tiktok({"adgroup/status/update/": answer}) as served:
        with pytest.raises(kind) as caught:
            client(served).set_status(AD_SET, DeliveryStatus.PAUSED)
        assert len(served.requests) == len(writes(served)) == 1
    assert type(caught.value) is kind


def test_what_tiktok_says_of_the_part_that_failed_is_in_the_error() -> None:
    answer = error(20001, **PARTLY)
    with tiktok({"adgroup/status/update/": answer}) as served, pytest.raises(RefusedError, match="40002: too late"):
        client(served).set_status(AD_SET, DeliveryStatus.PAUSED)


@pytest.mark.parametrize("hostile", ["", "1/../2", "act_1", "1?x=1", "1\n", "１", "9" * 40])
@pytest.mark.parametrize("family", Family)
def test_an_id_that_is_none_is_not_sent(hostile: str, family: Family) -> None:
    target = Target(Level.AD_SET, hostile, family)
    with tiktok({}) as served:
        ads = client(served)
        changes: list[Callable[[], object]] = [
            lambda: ads.read(target),
            lambda: ads.set_daily_budget(target, 50 * UNIT),
            lambda: ads.set_status(target, DeliveryStatus.PAUSED),
            lambda: ads.set_bid(target, Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=2 * UNIT)),
            lambda: ads.set_target_roi(target, 2 * UNIT),
        ]
        for change in changes:
            with pytest.raises(ConfigurationError):
                change()
        assert served.requests == []


def test_a_body_is_json_and_holds_no_secret() -> None:
    _, _, sent = sent_by(lambda t: t.set_status(AD_SET, DeliveryStatus.PAUSED), groups(ad_group()))
    assert TOKEN not in json.dumps(sent)
