"""What is sent to Meta when something is to change, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from connectors.contracts import AdRecord, AdSetRecord, Bid, BidStrategy, CampaignRecord, DeliveryStatus, Held, Target
from connectors.errors import (
    BelowMinimumError,
    ConfigurationError,
    NotSentError,
    OutcomeUnknownError,
    RateLimitedError,
    RefusedError,
    UnverifiedError,
)
from connectors.meta.client import MetaAds
from tests.connectors.meta.answers import (
    ABSENT,
    AD,
    AD_SET,
    BUSY,
    CAMPAIGN,
    DONE,
    account,
    ad,
    ad_set,
    campaign,
    client,
    form,
    listing,
    verb,
)
from tests.connectors.wire import Script, hangs_up, says, wire

UNIT = 1_000_000
Change = Callable[[MetaAds], Held]


def sent_by(change: Change, held: dict[str, Any], **facts: Any) -> tuple[Held, dict[str, list[str]]]:
    """What the change returns, and the form of the one request that it sent."""
    with wire(account(**facts), listing(), DONE, says(held)) as served:
        meta = client(served, app_secret=None)
        assert list(meta.ad_sets()) == []
        found = change(meta)
        assert [verb(r) for r in served.requests[2:]] == [f"POST {held['id']}", f"GET {held['id']}"]
        return found, form(served.requests[2])


def test_a_daily_budget_is_sent_once_and_what_meta_holds_is_returned() -> None:
    found, sent = sent_by(lambda m: m.set_daily_budget(AD_SET, 51 * UNIT), ad_set(daily_budget="4900"))
    assert sent == {"daily_budget": ["5100"]}
    assert isinstance(found, AdSetRecord)
    assert found.daily_budget_micros == 49 * UNIT


def test_a_campaign_that_carries_the_budget_takes_a_lifetime_budget() -> None:
    held = campaign(lifetime_budget="70000", daily_budget="0")
    found, sent = sent_by(lambda m: m.set_lifetime_budget(CAMPAIGN, 700 * UNIT), held)
    assert sent == {"lifetime_budget": ["70000"]}
    assert isinstance(found, CampaignRecord)
    assert found.lifetime_budget_micros == 700 * UNIT


@pytest.mark.parametrize(("target", "held"), [(CAMPAIGN, campaign()), (AD_SET, ad_set()), (AD, ad())])
@pytest.mark.parametrize(("status", "word"), [(DeliveryStatus.ACTIVE, "ACTIVE"), (DeliveryStatus.PAUSED, "PAUSED")])
def test_every_level_is_paused_and_enabled(
    target: Target, held: dict[str, Any], status: DeliveryStatus, word: str
) -> None:
    found, sent = sent_by(lambda m: m.set_status(target, status), held | {"status": word})
    assert sent == {"status": [word]}
    assert (found.status, found.external_id) == (status, target.external_id)


BIDS = [
    (Bid(BidStrategy.LOWEST_COST), {"bid_strategy": "LOWEST_COST_WITHOUT_CAP"}),
    (Bid(BidStrategy.BID_CAP, 2_500_000), {"bid_strategy": "LOWEST_COST_WITH_BID_CAP", "bid_amount": "250"}),
    (Bid(BidStrategy.COST_CAP, 19_990_000), {"bid_strategy": "COST_CAP", "bid_amount": "1999"}),
    (
        Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_230_000),
        {"bid_strategy": "LOWEST_COST_WITH_MIN_ROAS", "bid_constraints": {"roas_average_floor": 12_300}},
    ),
]


@pytest.mark.parametrize(("bid", "told"), BIDS)
def test_a_bid_is_written_and_reads_back_the_same(bid: Bid, told: dict[str, Any]) -> None:
    found, sent = sent_by(lambda m: m.set_bid(AD_SET, bid), ad_set(**told))
    assert isinstance(found, AdSetRecord)
    assert found.bid == bid
    expected = {name: value if isinstance(value, str) else json.dumps(value) for name, value in told.items()}
    assert sent == {name: [value] for name, value in expected.items()}


def test_a_campaign_takes_the_strategy_of_a_cap_while_its_ad_sets_keep_the_amounts() -> None:
    bid = Bid(BidStrategy.COST_CAP)
    found, sent = sent_by(lambda m: m.set_bid(CAMPAIGN, bid), campaign(bid_strategy="COST_CAP"))
    assert sent == {"bid_strategy": ["COST_CAP"]}
    assert isinstance(found, CampaignRecord)
    assert found.bid == bid


UNSENDABLE: list[tuple[str, Change]] = [
    ("an ad has no budget", lambda m: m.set_daily_budget(AD, 50 * UNIT)),
    ("an ad has no budget for its life", lambda m: m.set_lifetime_budget(AD, 50 * UNIT)),
    ("finer than a cent", lambda m: m.set_daily_budget(AD_SET, 50 * UNIT + 1)),
    ("nothing", lambda m: m.set_daily_budget(AD_SET, 0)),
    ("removed", lambda m: m.set_status(AD_SET, DeliveryStatus.REMOVED)),
    ("an ad does not bid", lambda m: m.set_bid(AD, Bid(BidStrategy.LOWEST_COST))),
    ("a cap without an amount", lambda m: m.set_bid(AD_SET, Bid(BidStrategy.COST_CAP))),
    ("no cap, and an amount", lambda m: m.set_bid(AD_SET, Bid(BidStrategy.LOWEST_COST, 5 * UNIT))),
    ("a campaign with an amount", lambda m: m.set_bid(CAMPAIGN, Bid(BidStrategy.BID_CAP, 5 * UNIT))),
    ("no return", lambda m: m.set_bid(AD_SET, Bid(BidStrategy.MINIMUM_ROAS))),
    ("a return of zero", lambda m: m.set_bid(AD_SET, Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=0))),
    ("a return too fine", lambda m: m.set_bid(AD_SET, Bid(BidStrategy.MINIMUM_ROAS, roas_ppm=1_000_050))),
    ("a target ROI", lambda m: m.set_target_roi(CAMPAIGN, 2_000_000)),
]


@pytest.mark.parametrize(("what", "change"), UNSENDABLE, ids=[name for name, _ in UNSENDABLE])
def test_what_meta_cannot_hold_is_not_sent(what: str, change: Change) -> None:
    with wire(account()) as served:
        with pytest.raises(ConfigurationError):
            change(client(served))
        assert all(verb(r) == "GET act_7" for r in served.requests)


def test_a_currency_without_cents_is_sent_in_whole_units() -> None:
    _, sent = sent_by(lambda m: m.set_daily_budget(AD_SET, 5_000 * UNIT), ad_set(), currency="HUF")
    assert sent == {"daily_budget": ["5000"]}
    with wire(account(currency="HUF")) as served, pytest.raises(ConfigurationError):
        client(served).set_daily_budget(AD_SET, 5_000 * UNIT + UNIT // 2)


@pytest.mark.parametrize("write", [MetaAds.set_daily_budget, MetaAds.set_lifetime_budget])
def test_less_than_the_floor_of_the_account_is_not_sent(write: Callable[[MetaAds, Target, int], Held]) -> None:
    with wire(account(min_daily_budget=500)) as served:
        with pytest.raises(BelowMinimumError):
            write(client(served), AD_SET, 5 * UNIT - 10_000)
        assert [verb(r) for r in served.requests] == ["GET act_7"]
    _, sent = sent_by(lambda m: write(m, AD_SET, 5 * UNIT), ad_set(), min_daily_budget=500)
    assert list(sent.values()) == [["500"]]


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("broken", [BUSY, says({"id": "act_7"})])
def test_a_write_for_want_of_the_currency_is_not_sent(broken: Script) -> None:
    with wire(broken) as served:
        with pytest.raises(NotSentError):
            client(served).set_daily_budget(AD_SET, 51 * UNIT)
        assert {verb(r) for r in served.requests} == {"GET act_7"}


@pytest.mark.usefixtures("quick_retries")
@pytest.mark.parametrize("answer", [BUSY, ABSENT, hangs_up, says(b"<html>"), says(ad_set(account_id="8")), says({})])
def test_a_write_that_cannot_be_read_back_is_unverified_and_never_repeated(answer: Script) -> None:
    with wire(DONE, answer) as served:
        with pytest.raises(UnverifiedError):
            client(served).set_status(AD_SET, DeliveryStatus.PAUSED)
        assert [verb(r) for r in served.requests].count("POST 5") == 1


def error(code: int, subcode: int = 0, status: int = 400, **more: Any) -> Script:
    return says({"error": {"code": code, "error_subcode": subcode, "message": "no", **more}}, status)


@pytest.mark.parametrize(
    ("answer", "kind", "wait"),
    [
        (error(100, 1885272), RefusedError, None),
        (error(100, 1885621), RefusedError, None),
        (error(100, 33), RefusedError, None),
        (error(2635), RefusedError, None),
        (error(368), RefusedError, None),
        (error(613, 1487632), RateLimitedError, 3600.0),
        (error(17, 1885172), RateLimitedError, 86_400.0),
        (error(613, 5044001), RateLimitedError, None),
        (error(4, 1504022, is_transient=True), RateLimitedError, None),
        (error(1, 99), OutcomeUnknownError, None),
        (error(100, 99), OutcomeUnknownError, None),
        (error(960), OutcomeUnknownError, None),
        (error(613, 1487632, status=503), OutcomeUnknownError, None),
        (hangs_up, OutcomeUnknownError, None),
    ],
)
def test_a_write_that_fails_says_how_and_is_never_repeated(
    answer: Script, kind: type[Exception], wait: float | None
) -> None:
    with wire(answer) as served:
        with pytest.raises(kind) as caught:
            client(served).set_status(AD_SET, DeliveryStatus.PAUSED)
        assert [verb(r) for r in served.requests] == ["POST 5"]
    assert type(caught.value) is kind
    assert getattr(caught.value, "retry_after", None) == wait


def test_what_meta_tells_the_person_is_in_the_error() -> None:
    told = error(100, 1885272, error_user_msg="It must be at least $5.00.")
    with wire(told) as served, pytest.raises(RefusedError, match="at least"):
        client(served).set_status(AD_SET, DeliveryStatus.PAUSED)


def test_an_ad_that_reads_back_is_an_ad() -> None:
    found, _ = sent_by(lambda m: m.set_status(AD, DeliveryStatus.PAUSED), ad(status="PAUSED"))
    assert isinstance(found, AdRecord)
    assert found.creative_external_id == "44"


@pytest.mark.parametrize("hostile", ["", "1/../2", "act_1", "1?x=1", "1\n", "１", "9" * 40])
def test_an_id_that_is_none_is_not_sent(hostile: str) -> None:
    target = Target(AD_SET.level, hostile)
    with wire(account()) as served:
        with pytest.raises(ConfigurationError):
            client(served).set_status(target, DeliveryStatus.PAUSED)
        with pytest.raises(ConfigurationError):
            client(served).read(target)
        with pytest.raises(ConfigurationError):
            client(served).read_many([target])
        assert served.requests == []
