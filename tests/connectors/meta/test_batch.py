"""Many objects read in one round trip."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.contracts import AdRecord, AdSetRecord, CampaignRecord, Level, Target
from connectors.errors import (
    AuthenticationError,
    ConnectorError,
    MalformedReplyError,
    RateLimitedError,
    TransientError,
)
from tests.connectors.meta.answers import (
    AD,
    AD_SET,
    CAMPAIGN,
    PROOF,
    TOKEN,
    Notes,
    account,
    ad,
    ad_set,
    campaign,
    client,
    form,
    verb,
)
from tests.connectors.wire import Script, says, wire

pytestmark = pytest.mark.usefixtures("quick_retries")

GONE = {"error": {"code": 100, "error_subcode": 33, "message": "none"}}
LATER = {"error": {"code": 2, "message": "later"}}


def entry(body: Any, code: int = 200, **headers: str) -> dict[str, Any]:
    told = [{"name": name.replace("_", "-"), "value": value} for name, value in headers.items()]
    return {"code": code, "headers": told, "body": json.dumps(body)}


def batched(*entries: Any) -> Script:
    return says(json.dumps(entries).encode())


def ad_sets(count: int) -> tuple[list[Target], list[dict[str, Any]]]:
    ids = [str(1000 + n) for n in range(count)]
    return [Target(Level.AD_SET, i) for i in ids], [entry(ad_set(id=i)) for i in ids]


def test_every_level_is_read_in_one_request() -> None:
    answers = batched(entry(campaign()), entry(ad_set()), entry(ad()))
    with wire(answers, account()) as served:
        found = client(served).read_many([CAMPAIGN, AD_SET, AD])
        assert verb(served.requests[0]) == "POST "
        sent = form(served.requests[0])
    assert [type(f) for f in found] == [CampaignRecord, AdSetRecord, AdRecord]
    assert sent["appsecret_proof"] == [PROOF]
    parts = json.loads(sent["batch"][0])
    assert [(p["method"], p["relative_url"].partition("?")[0]) for p in parts] == [
        ("GET", "3"),
        ("GET", "5"),
        ("GET", "9"),
    ]
    assert TOKEN not in str(sent)


def test_more_than_fifty_are_read_in_several_requests() -> None:
    targets, answers = ad_sets(51)
    with wire(batched(*answers[:50]), batched(answers[50]), account()) as served:
        assert [f.external_id for f in client(served).read_many(targets)] == [t.external_id for t in targets]
        assert [len(json.loads(form(r)["batch"][0])) for r in served.requests[:2]] == [50, 1]


def test_each_part_counts_for_the_rate_budget() -> None:
    pace = Notes()
    with wire(batched(entry(campaign()), entry(ad_set())), account()) as served:
        client(served, pace=pace).read_many([CAMPAIGN, AD_SET])
    assert pace.booked == [2, 1]


def test_none_are_read_without_a_request() -> None:
    with wire(account()) as served:
        assert client(served).read_many([]) == []
        assert served.requests == []


def test_what_is_not_there_or_belongs_to_another_account_is_left_out() -> None:
    answers = batched(entry(GONE, 400), entry(ad_set()), entry(ad(account_id="8")))
    with wire(answers, account()) as served:
        assert [f.external_id for f in client(served).read_many([CAMPAIGN, AD_SET, AD])] == ["5"]


@pytest.mark.parametrize("unanswered", [None, entry(LATER, 500)])
def test_what_meta_had_no_time_for_is_asked_again(unanswered: Any) -> None:
    pauses: list[float] = []
    scripts = (batched(entry(campaign()), unanswered), batched(entry(ad_set())), account())
    with wire(*scripts) as served:
        found = client(served, pause=pauses.append).read_many([CAMPAIGN, AD_SET])
        assert [f.external_id for f in found] == ["3", "5"]
        assert [p["relative_url"][0] for p in json.loads(form(served.requests[1])["batch"][0])] == ["5"]
    assert pauses == [1.0]


def test_what_stays_unanswered_is_given_up() -> None:
    with wire(batched(None)) as served:
        with pytest.raises(TransientError):
            client(served, pause=[].append).read_many([AD_SET])
        assert len(served.requests) == 4


def test_a_throttled_part_says_how_long_to_wait() -> None:
    throttled = entry({"error": {"code": 80004, "message": "slow"}}, 400, Retry_After="7", Xé="é")
    with wire(batched(throttled)) as served, pytest.raises(RateLimitedError) as caught:
        client(served).read_many([AD_SET])
    assert caught.value.retry_after == 7


def test_a_dead_token_is_told_by_the_whole_or_by_a_part() -> None:
    dead = {"error": {"code": 190, "message": "dead"}}
    for answer in (says(dead, 400), batched(entry(dead, 400))):
        with wire(answer) as served, pytest.raises(AuthenticationError):
            client(served).read_many([AD_SET])


@pytest.mark.parametrize(
    "answer",
    [
        batched(),
        batched(entry(ad_set()), entry(ad_set())),
        batched(5),
        batched({"code": "200", "body": "{}"}),
        batched({"code": 200, "body": {}}),
        batched({"code": 200, "body": "{}", "headers": {}}),
        batched(entry(ad_set(id="6"))),
        says({"data": []}),
    ],
)
def test_a_batch_of_an_unknown_shape_is_refused(answer: Script) -> None:
    with wire(answer, account()) as served, pytest.raises(MalformedReplyError):
        client(served).read_many([AD_SET])


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b"[1e999999999999]"])
def test_a_batch_that_is_no_json_is_a_passing_failure(body: bytes) -> None:
    with wire(says(body)) as served, pytest.raises(ConnectorError):
        client(served).read_many([AD_SET])
