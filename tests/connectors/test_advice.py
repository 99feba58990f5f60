"""What a person is told to do about an error of a platform."""

from __future__ import annotations

import re

import pytest

from connectors import advice
from connectors.advice import NO_ACTIVE_SHOP, next_step, no_orders
from connectors.contracts import Platform
from connectors.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectorError,
    MalformedReplyError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RefusedError,
    TransientError,
)
from connectors.tiktok_shop.errors import UnsupportedRegionError

SHOP = Platform.TIKTOK_SHOP


@pytest.mark.parametrize(
    ("error", "step"),
    [
        (PermissionDeniedError("", platform=SHOP, code="105005"), "Grant the missing scope .* then connect again"),
        (AuthenticationError("", platform=SHOP, code="105002"), "Connect TikTok Shop again"),
        (AuthenticationError("", platform=SHOP), "Connect TikTok Shop again"),
        (AuthenticationError("", platform=SHOP, code="36009004"), "connect TikTok Shop again"),
        (UnsupportedRegionError("", platform=SHOP), "one of these markets: US, CA, GB"),
        (RateLimitedError("", platform=SHOP, code="36009002"), "Nothing to do: TikTok Shop asks for a pause"),
        (PermissionDeniedError("", platform=SHOP, code="36009043"), "the shop or its seller is deactivated"),
        (ConfigurationError("", platform=SHOP, code="101000"), "belongs to another"),
        (ConfigurationError("", platform=SHOP, code="106001"), "id and secret of the TikTok Shop app"),
        (MalformedReplyError("", platform=SHOP), "cannot read"),
        (PermissionDeniedError("", platform=Platform.SHOPIFY, code="402"), "the shop is frozen"),
        (
            PermissionDeniedError("", platform=Platform.SHOPIFY, code="ACCESS_DENIED"),
            "permission to the app at Shopify",
        ),
        (AuthenticationError("", platform=Platform.SHOPIFY, code="401"), "Connect Shopify again"),
        (AuthenticationError("", platform=Platform.META, code="190/460"), "Connect Meta again"),
        (PermissionDeniedError("", platform=Platform.META, code="368/1390008"), "business support"),
        (PermissionDeniedError("", platform=Platform.TIKTOK, code="40300"), "role"),
        (TransientError("", platform=Platform.TIKTOK, code="50000"), "Nothing to do unless it lasts: TikTok did not"),
        (NotFoundError("", platform=Platform.META), "still exists at Meta"),
        (TransientError(""), "the platform did not answer"),
    ],
)
def test_a_person_is_told_what_to_do_next(error: ConnectorError, step: str) -> None:
    assert re.search(step, next_step(error))


@pytest.mark.parametrize("kind", [ConfigurationError, RefusedError, OutcomeUnknownError, ConnectorError])
def test_where_the_error_says_it_all_nothing_is_added(kind: type[ConnectorError]) -> None:
    assert next_step(kind("x", platform=Platform.META, code="1")) == ""


@pytest.mark.parametrize("platform", [*Platform, "", "an unknown one"])
@pytest.mark.parametrize("code", ["", "0", "105005", "{x}", "a/b/c"])
def test_every_error_has_at_most_one_sentence(platform: str, code: str) -> None:
    kinds = [AuthenticationError, PermissionDeniedError, RateLimitedError, TransientError, NotFoundError]
    for kind in kinds:
        step = next_step(kind("x", platform=platform, code=code))
        assert re.fullmatch(r"[A-Z][^.{}]+\.", step)


def test_every_step_by_code_is_one_sentence_about_a_platform_that_we_know() -> None:
    assert set(advice.BY_CODE) == set(advice.NAMES) == set(Platform)
    for platform, steps in advice.BY_CODE.items():
        for code in steps:
            assert re.fullmatch(r"[A-Z][^.{}]+\.", next_step(ConnectorError("", platform=platform, code=code)))


def test_what_is_no_error_is_said_too() -> None:
    assert "no active shop" in NO_ACTIVE_SHOP
    assert no_orders(90) == "No orders in the last 90 days: revenue is zero, which is taken as true."
