"""The flags of the `sandbox` command, read into a `Config`. Bad values are refused with one clear line."""

from __future__ import annotations

import argparse
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.sandbox.shopify import PLANS
from connectors.sandbox.tenants import MOST_TENANTS
from connectors.sandbox.world import Config


def whole(least: int, most: int) -> Any:
    def read(text: str) -> int:
        if not text.lstrip("-").isdecimal() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"must be a whole number from {least} to {most}, not {text!r}")
        return int(text)

    return read


def moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be an ISO 8601 time, not {text!r}") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def clock(text: str) -> float:
    named = {"manual": 0.0, "real": 1.0}
    if text in named:
        return named[text]
    try:
        factor = float(text)
    except ValueError:
        factor = math.nan
    if not 0 < factor <= 1_000_000:
        raise argparse.ArgumentTypeError(f"must be manual, real or a factor above 0, not {text!r}")
    return factor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=whole(0, 65535), default=9400, help="0 picks a free one")
    add("--seed", type=whole(0, 2**32 - 1), default=7, help="same seed, same calls: same answers")
    add("--state", type=Path, help="file that keeps writes and the clock over restarts")
    add("--start", type=moment, help="the first now, ISO 8601; default: the current hour")
    add("--days", type=whole(1, 1000), default=120, help="days of history before the start")
    add("--tenants", type=whole(1, MOST_TENANTS), default=2, help="how many merchants")
    add("--accounts", type=whole(1, 20), default=1, help="ad accounts per platform and merchant")
    add("--ad-sets", type=whole(1, 500), default=6, help="per ad account")
    add("--clock", type=clock, default=0.0, help="manual, real, or market seconds per second")
    add("--shopify-plan", choices=sorted(PLANS), default="plus", help="sets Shopify's rate limit")


def config(options: dict[str, Any]) -> Config:
    names = ("seed", "start", "days", "tenants", "ad_sets", "clock", "accounts")
    return Config(**{name: options[name] for name in names})
