"""Where TikTok answers for its three families of campaigns: paths and names of ids, by family and level.

Ordinary and Smart+ campaigns have the same three levels at different paths. A GMV Max campaign has no ad groups;
it is paused where ordinary campaigns are.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.contracts import Family, Level, Platform, Target
from connectors.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Of one family and level: `key` names an id in an answer and in an update, `key + "s"` many in a filter."""

    key: str
    listing: str
    update: str
    status: str


def _three_levels(prefix: str, ad_key: str) -> dict[Level, Endpoints]:
    names = {Level.CAMPAIGN: ("campaign", "campaign_id"), Level.AD_SET: ("adgroup", "adgroup_id")}
    names[Level.AD] = ("ad", ad_key)
    return {
        level: Endpoints(key, f"{prefix}{name}/get/", f"{prefix}{name}/update/", f"{prefix}{name}/status/update/")
        for level, (name, key) in names.items()
    }


GMV_MAX = Endpoints("campaign_id", "gmv_max/campaign/get/", "campaign/gmv_max/update/", "campaign/status/update/")
ENDPOINTS: dict[Family, dict[Level, Endpoints]] = {
    Family.STANDARD: _three_levels("", "ad_id"),
    Family.SMART_PLUS: _three_levels("smart_plus/", "smart_plus_ad_id"),
    Family.GMV_MAX: {Level.CAMPAIGN: GMV_MAX, Level.AD_SET: GMV_MAX},
}


def endpoints(target: Target) -> Endpoints:
    """Where the object is read and written; `ConfigurationError` for a level that its family has not."""
    found = ENDPOINTS[target.family].get(target.level)
    if found is None:
        raise ConfigurationError(f"tiktok: {target.family} has no {target.level}", platform=Platform.TIKTOK)
    return found
