"""How much of Meta's call allowance is used, and the four headers that say so.

Each ad account has a score of 9000 that decays within 300 seconds (Full tier); a read costs 1, a write 3.
Source: marketing-api rate limiting.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

from connectors.sandbox.answers import Bucket
from connectors.sandbox.meta_errors import MetaError
from connectors.sandbox.tenants import Account

SCORE_MAX, SCORE_DECAY_SECONDS, READ_SCORE, WRITE_SCORE = 9000, 300, 1, 3
TIER = "standard_access"


class Usage:
    """The scores of all accounts, in wall time."""

    def __init__(self) -> None:
        self._scores: dict[str, Bucket] = {}

    def charge(self, account: Account, method: str, *, is_insights: bool = False) -> None:
        """Take the score of a call. Raises MetaError when none is left."""
        bucket = self._scores.setdefault(account.id, Bucket(SCORE_MAX, SCORE_MAX / SCORE_DECAY_SECONDS))
        if not bucket.take(READ_SCORE if method == "GET" else WRITE_SCORE, time.monotonic()):
            text = "There have been too many calls to this ad-account. Wait a bit and try again."
            raise MetaError(80000 if is_insights else 80004, text, 2446079)

    def headers(self, account: Account, *, is_insights: bool) -> dict[str, str]:
        bucket = self._scores.get(account.id)
        left = bucket.available(time.monotonic()) if bucket else float(SCORE_MAX)
        used = round(100 - 100 * left / SCORE_MAX, 2)
        wait = SCORE_DECAY_SECONDS / SCORE_MAX * max(WRITE_SCORE - left, 0)  # seconds
        share = {"call_count": int(used), "total_time": int(used), "total_cputime": int(used)}
        case = {
            "type": "ads_insights" if is_insights else "ads_management",
            **share,
            "estimated_time_to_regain_access": math.ceil(wait / 60),
            "ads_api_access_tier": TIER,
        }
        told: dict[str, Any] = {
            "X-App-Usage": share,
            "X-Ad-Account-Usage": {
                "acc_id_util_pct": used,
                "reset_time_duration": math.ceil(SCORE_DECAY_SECONDS * used / 100),
                "ads_api_access_tier": TIER,
            },
            "X-Business-Use-Case-Usage": {account.id.removeprefix("act_"): [case]},
            "X-FB-Ads-Insights-Throttle": {
                "app_id_util_pct": used,
                "acc_id_util_pct": used,
                "ads_api_access_tier": TIER,
            },
        }
        return {name: json.dumps(value, separators=(",", ":")) for name, value in told.items()}
