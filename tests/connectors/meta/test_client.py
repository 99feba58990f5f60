"""How Meta is asked: the token, its proof, pages and ids, over a real socket."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.errors import ConfigurationError, MalformedReplyError
from connectors.meta.client import MetaAds
from connectors.meta.graph import appsecret_proof
from tests.connectors.meta.answers import (
    AD_SET,
    BUSY,
    DONE,
    PROOF,
    SECRET,
    TOKEN,
    account,
    ad_set,
    client,
    form,
    listing,
    query,
    verb,
)
from tests.connectors.wire import says, wire

LARGE_PAGE = says({"error": {"code": 1, "message": "Please reduce the amount of data you're asking for"}}, 500)


@pytest.mark.parametrize(
    ("token", "secret", "proof"),
    [
        (TOKEN, SECRET, PROOF),
        (
            "sandbox-user-token",
            "sandbox-app-secret",
            "44c393ddb528f60f630fe7b31d14876838715d6ea71af3b10cef8c144abcf990",
        ),
    ],
)
def test_the_proof_is_the_one_of_the_official_sdk(token: str, secret: str, proof: str) -> None:
    assert appsecret_proof(token, secret) == proof


def test_the_token_travels_in_a_header_and_never_in_an_address() -> None:
    with wire(account(), DONE, says(ad_set())) as served:
        client(served).set_daily_budget(AD_SET, 51_000_000)
        read, write, read_back = served.requests
        assert f"authorization: Bearer {TOKEN}".lower() in read.lower()
        assert query(read)["appsecret_proof"] == query(read_back)["appsecret_proof"] == [PROOF]
        assert verb(write) == "POST 5"
        assert form(write) == {"daily_budget": ["5100"], "appsecret_proof": [PROOF]}
        assert all(TOKEN not in request.split("\r\n")[0] for request in served.requests)


def test_follows_next_and_not_the_length_of_a_page() -> None:
    with wire(account(), listing(ad_set(), after="a"), listing(after="b"), listing(ad_set(id="6"))) as served:
        assert [a.external_id for a in client(served).ad_sets()] == ["5", "6"]
        assert [query(r).get("after") for r in served.requests[1:]] == [None, ["a"], ["b"]]


def test_a_listing_that_turns_in_circles_is_an_error() -> None:
    with wire(account(), listing(ad_set(), after="a")) as served, pytest.raises(MalformedReplyError):
        list(client(served).ad_sets())


def test_a_next_page_without_a_cursor_is_an_error() -> None:
    broken = says({"data": [ad_set()], "paging": {"next": "https://next"}})
    with wire(account(), broken) as served, pytest.raises(MalformedReplyError):
        list(client(served).ad_sets())


def test_a_page_that_is_too_large_is_asked_for_in_halves_and_stays_small() -> None:
    scripts = (LARGE_PAGE, LARGE_PAGE, listing(ad_set(), after="a"), listing(ad_set(id="6")))
    with wire(account(), *scripts) as served:
        assert [a.external_id for a in client(served).ad_sets()] == ["5", "6"]
        assert [query(r)["limit"] for r in served.requests[1:]] == [["500"], ["250"], ["125"], ["125"]]


def test_a_page_that_is_too_large_at_any_size_is_an_error() -> None:
    with wire(account(), LARGE_PAGE) as served:
        with pytest.raises(ConfigurationError):
            list(client(served).ad_sets())
        assert query(served.requests[-1])["limit"] == ["10"]


@pytest.mark.usefixtures("quick_retries")
def test_a_reading_gets_over_a_passing_failure() -> None:
    with wire(BUSY, account()) as served:
        assert client(served).account().name == "A"


@pytest.mark.parametrize("version", ["", "26.0", "v26", "v26.0/../..", "v26.0\n"])
def test_a_version_that_is_none_is_refused(version: str) -> None:
    with pytest.raises(ConfigurationError):
        MetaAds(base_url="", version=version, access_token="t", account_id="act_7")


@pytest.mark.parametrize("account_id", ["", "act_", "act_act_1", "7/../8", "seven"])
def test_an_account_that_is_none_is_refused(account_id: str) -> None:
    given: dict[str, Any] = {"base_url": "", "version": "v26.0", "access_token": "t"}
    with pytest.raises(ConfigurationError):
        MetaAds(account_id=account_id, **given)
