"""Joining orders to ad sets: pure functions over the ids that an order carries.

Ad URLs carry `utm_campaign`, `utm_content` and `utm_term` with the ids of campaign, ad and ad set. A click
id (fbclid, ttclid) is opaque: it proves the platform, and with one of those ids the ad set. What cannot
be joined stays unattributed and visible; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from metrics.models import AttributionMethod

SOURCES = {
    "facebook": "meta",
    "fb": "meta",
    "instagram": "meta",
    "ig": "meta",
    "meta": "meta",
    "tiktok": "tiktok",
    "tiktok_ads": "tiktok",
}


@dataclass(frozen=True, slots=True)
class AdIndex:
    """Platform and external id to ad set, for one tenant."""

    by_ad_set: Mapping[tuple[str, str], UUID]
    by_ad: Mapping[tuple[str, str], UUID]
    by_campaign: Mapping[tuple[str, str], UUID]

    @classmethod
    def build(
        cls,
        ad_sets: Iterable[tuple[str, str, str, UUID]],
        ads: Iterable[tuple[str, str, UUID]],
    ) -> AdIndex:
        """From `(platform, ad set, campaign, id)` and `(platform, ad, ad set's id)`.

        A campaign stands for an ad set only where it has just one.
        """
        by_ad_set: dict[tuple[str, str], UUID] = {}
        members: dict[tuple[str, str], list[UUID]] = {}
        for platform, ad_set, campaign, key in ad_sets:
            by_ad_set[platform, ad_set] = key
            members.setdefault((platform, campaign), []).append(key)
        return cls(
            by_ad_set=by_ad_set,
            by_ad={(platform, ad): key for platform, ad, key in ads},
            by_campaign={campaign: keys[0] for campaign, keys in members.items() if len(keys) == 1},
        )


@dataclass(frozen=True, slots=True)
class Touch:
    """What an order says about where its customer came from."""

    click_platform: str
    utm_source: str
    utm_campaign: str
    utm_content: str
    utm_term: str


def attribute(touch: Touch, index: AdIndex) -> tuple[UUID | None, AttributionMethod]:
    """The ad set and how it was found. The platform of a click id outranks `utm_source`."""
    platform = touch.click_platform or SOURCES.get(touch.utm_source.lower(), "")
    ad_set = (
        index.by_ad_set.get((platform, touch.utm_term))
        or index.by_ad.get((platform, touch.utm_content))
        or index.by_campaign.get((platform, touch.utm_campaign))
    )
    if ad_set is None:
        return None, AttributionMethod.NONE
    return ad_set, AttributionMethod.CLICK_ID if touch.click_platform else AttributionMethod.UTM
