"""What an advertiser has, of all three families, as TikTok's rows.

A family that the app or the advertiser is not allowed is none, so that the ordinary campaigns go on without it.
While listing, the objectives of ad groups and the shops of GMV Max campaigns are remembered for the reports.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from connectors.contracts import Family, Level, Platform, Target
from connectors.errors import NotFoundError, PermissionDeniedError
from connectors.fields import Row, identifier, malformed, rows, text
from connectors.tiktok.api import Api, digits
from connectors.tiktok.families import ENDPOINTS, endpoints
from connectors.tiktok.parse import store_id

logger = logging.getLogger(__name__)

LEVELED = (Family.STANDARD, Family.SMART_PLUS)  # those with ad groups and ads
ALSO_DELETED = {"primary_status": "STATUS_ALL"}
GMV_MAX_INFO = "campaign/gmv_max/info/"
GMV_MAX_PAGE = 100
GMV_MAX_TYPES = {"gmv_max_promotion_types": ["PRODUCT_GMV_MAX", "LIVE_GMV_MAX"]}
DELETED = {"primary_status": "STATUS_DELETE"}  # their list knows no STATUS_ALL (NOTES.md)

T = TypeVar("T")


class Tree:
    """The objects of one advertiser."""

    def __init__(self, api: Api, advertiser_id: str) -> None:
        self._api, self._advertiser_id = api, advertiser_id
        self._denied: set[Family] = set()
        self._listed: set[Level] = set()
        self._objective_of: dict[str, str] = {}  # by campaign
        self._campaign_of: dict[str, str] = {}  # by ad group
        self._stores: list[str] | None = None

    def rows(self, level: Level) -> list[tuple[Row, Family]]:
        """Every object of the level, deleted ones too, in the families that have it."""
        found = [(source, family) for family in LEVELED for source in self._family(family, level)]
        if level is Level.CAMPAIGN:
            self._objective_of = {identifier(s, "campaign_id"): text(s, "objective_type") for s, _ in found}
        if level is Level.AD_SET:
            self._campaign_of = {identifier(s, "adgroup_id"): identifier(s, "campaign_id") for s, _ in found}
        self._listed.add(level)
        return found

    def gmv_max(self) -> list[Row]:
        """Every GMV Max campaign; of those that are not deleted also what only their details tell."""
        found = self.allowed(Family.GMV_MAX, self._gmv_max_campaigns)
        self._stores = sorted({store_id(source) for source in found} - {""})
        return found

    def found(self, target: Target) -> Row:
        """One object, deleted or not."""
        place, wanted = endpoints(target), digits(target.external_id)
        if target.family is Family.GMV_MAX:
            for source in self._gmv_max_campaigns(wanted):
                return source
        else:
            filtering = {f"{place.key}s": [wanted], **ALSO_DELETED}
            data = self._api.get(place.listing, urgent=True, advertiser_id=self._advertiser_id, filtering=filtering)
            for source in rows(data.get("list"), "list"):
                if identifier(source, place.key) == wanted:
                    return source
        raise NotFoundError(f"tiktok: no such {target.level} for this advertiser", platform=Platform.TIKTOK)

    def objectives(self) -> dict[str, str]:
        """The objective of each ad group's campaign; listed now if they were not yet."""
        for level in (Level.CAMPAIGN, Level.AD_SET):
            if level not in self._listed:
                self.rows(level)
        return {ad_group: self._objective_of.get(campaign, "") for ad_group, campaign in self._campaign_of.items()}

    def stores(self) -> list[str]:
        """The TikTok Shops that GMV Max campaigns sell from; listed now if they were not yet."""
        if self._stores is None:
            self.gmv_max()
        return self._stores or []

    def allowed(self, family: Family, listing: Callable[[], list[T]]) -> list[T]:
        """What the listing gives, nothing where the permission for the family is missing; said once in the log."""
        try:
            return listing()
        except PermissionDeniedError as error:
            if family not in self._denied:
                self._denied.add(family)
                logger.warning("tiktok: no permission for %s, its campaigns are left out: %s", family, error)
            return []

    def _family(self, family: Family, level: Level) -> list[Row]:
        place = ENDPOINTS[family][level]

        def listing() -> list[Row]:
            return self._api.listed(
                place.listing,
                lambda source: identifier(source, place.key),
                reading=_as_they_are,
                advertiser_id=self._advertiser_id,
                filtering=ALSO_DELETED,
            )

        return listing() if family is Family.STANDARD else self.allowed(family, listing)

    def _gmv_max_campaigns(self, campaign_id: str = "") -> list[Row]:
        """All of them, or the one of that id."""
        named = {"campaign_ids": [campaign_id]} if campaign_id else {}
        found = {one["campaign_id"]: one for one in map(self._detailed, self._gmv_max_listing(named))}
        if campaign_id not in found:
            for one in self._gmv_max_listing(named | DELETED):
                found.setdefault(identifier(one, "campaign_id"), {**one, "operation_status": "DELETE"})
        return [one for key, one in found.items() if campaign_id in ("", key)]

    def _gmv_max_listing(self, filtering: dict[str, Any]) -> list[Row]:
        return self._api.listed(
            ENDPOINTS[Family.GMV_MAX][Level.CAMPAIGN].listing,
            lambda source: identifier(source, "campaign_id"),
            reading=_as_they_are,
            page_size=GMV_MAX_PAGE,
            advertiser_id=self._advertiser_id,
            filtering=GMV_MAX_TYPES | filtering,
        )

    def _detailed(self, source: Row) -> Row:
        """The row of the list and what the details add: budget, target return, shop."""
        campaign_id = identifier(source, "campaign_id")
        try:
            details = self._api.get(
                GMV_MAX_INFO, urgent=True, advertiser_id=self._advertiser_id, campaign_id=campaign_id
            )
        except NotFoundError:  # deleted since it was listed
            details = {}
        if details and identifier(details, "campaign_id") != campaign_id:
            raise malformed("campaign_id", details["campaign_id"])
        return {**source, **details, "campaign_id": campaign_id}


def _as_they_are(found: list[Row]) -> list[Row]:
    return found
