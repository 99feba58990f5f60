"""Attribution: an order belongs to the ad set whose ids it carries, and to none where that is a guess."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from metrics.attribution import AdIndex, Touch, attribute

A, B, C, T = (uuid4() for _ in range(4))
INDEX = AdIndex.build(
    ad_sets=[("meta", "s1", "c1", A), ("meta", "s2", "c1", B), ("meta", "s3", "c2", C), ("tiktok", "s1", "c2", T)],
    ads=[("meta", "ad1", A), ("tiktok", "ad1", T)],
)


@pytest.mark.parametrize(
    ("click", "source", "campaign", "ad", "ad_set", "expected", "method"),
    [
        ("", "facebook", "", "", "s1", A, "utm"),
        ("", "IG", "", "", "s2", B, "utm"),
        ("", "tiktok", "", "", "s1", T, "utm"),
        ("meta", "", "", "", "s1", A, "click_id"),
        ("tiktok", "facebook", "", "", "s1", T, "click_id"),  # the click outranks what the link says
        ("", "fb", "", "ad1", "", A, "utm"),
        ("", "fb", "c9", "ad1", "s9", A, "utm"),
        ("", "fb", "c1", "ad1", "s2", B, "utm"),  # the ad set outranks the ad, the ad the campaign
        ("", "fb", "c2", "ad9", "", C, "utm"),
        ("", "fb", "c1", "", "", None, "none"),  # two ad sets in this campaign: no guess
        ("meta", "", "", "", "", None, "none"),  # a click id alone proves the platform only
        ("", "google", "c2", "ad1", "s1", None, "none"),
        ("", "", "c2", "ad1", "s1", None, "none"),
        ("tiktok", "fb", "", "", "s2", None, "none"),
        ("", "", "", "", "", None, "none"),
    ],
)
def test_the_table(
    click: str, source: str, campaign: str, ad: str, ad_set: str, expected: UUID | None, method: str
) -> None:
    assert attribute(Touch(click, source, campaign, ad, ad_set), INDEX) == (expected, method)


def test_nothing_is_found_where_nothing_is_known() -> None:
    assert attribute(Touch("meta", "fb", "c1", "ad1", "s1"), AdIndex.build([], [])) == (None, "none")
