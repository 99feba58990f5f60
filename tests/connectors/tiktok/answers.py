"""TikTok's answers as the tests of this folder script them, and a client that asks for them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.contracts import Family, Level, Target
from connectors.tiktok.client import TikTokAds
from tests.connectors.wire import Script, Wire, says, wire

TOKEN = "tiktok-test-token-123"
REPORT, GMV_MAX_REPORT = "report/integrated/get/", "gmv_max/report/get/"
CAMPAIGN, AD_SET, AD = Target(Level.CAMPAIGN, "3"), Target(Level.AD_SET, "5"), Target(Level.AD, "9")
SMART_AD_SET = Target(Level.AD_SET, "5", Family.SMART_PLUS)
SHOP_CAMPAIGN = Target(Level.CAMPAIGN, "30", Family.GMV_MAX)
SHOP_AD_SET = Target(Level.AD_SET, "30", Family.GMV_MAX)

Answers = Mapping[str, Script | Sequence[Script]]


def client(served: Wire, **options: Any) -> TikTokAds:
    given: dict[str, Any] = {"advertiser_id": "7", "patience": 2.0}
    return TikTokAds(base_url=served.url, version="v1.3", access_token=TOKEN, **(given | options))


def data(**content: Any) -> Script:
    return says({"code": 0, "message": "OK", "request_id": "r", "data": content})


def error(code: int, message: str = "no", **content: Any) -> Script:
    return says({"code": code, "message": message, "request_id": "r", "data": content})


def account(**changes: Any) -> Script:
    advertiser = {"advertiser_id": 7, "name": "A", "currency": "USD", "timezone": "Etc/GMT+5"}
    return data(list=[advertiser | {"status": "STATUS_ENABLE"} | changes])


def listing(*found: Any, pages: int = 1, total: int | None = None) -> Script:
    total = len(found) if total is None else total
    return data(list=list(found), page_info={"page": 1, "total_page": pages, "total_number": total})


@contextmanager
def tiktok(answers: Answers) -> Iterator[Wire]:
    """A TikTok that answers by path, each path's answers in turn and the last for ever.

    What is not scripted is an advertiser in dollars and at Etc/GMT+5, an empty listing, and a write that worked.
    """
    left = {path: list(told) if isinstance(told, Sequence) else [told] for path, told in answers.items()}
    wires: list[Wire] = []

    def answer(connection: socket.socket) -> None:
        method, path = verb(wires[0].requests[-1]).split(" ")
        told = left.get(path)
        if told:
            (told.pop(0) if len(told) > 1 else told[0])(connection)
        elif path == "advertiser/info/":
            account()(connection)
        else:
            (data() if method == "POST" else listing())(connection)

    with wire(answer) as served:
        wires.append(served)
        yield served


def verb(request: str) -> str:
    """Method and path, without the version."""
    method, target, _ = request.split(" ", 2)
    return f"{method} {urlsplit(target).path.removeprefix('/open_api/v1.3/')}"


def query(request: str) -> dict[str, Any]:
    return dict(parse_qsl(urlsplit(request.split(" ")[1]).query))


def asked(served: Wire, path: str) -> list[dict[str, Any]]:
    """The queries of that path, in order."""
    return [query(request) for request in served.requests if verb(request) == f"GET {path}"]


def body(request: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(request.partition("\r\n\r\n")[2])
    return found


def writes(served: Wire) -> list[str]:
    return [request for request in served.requests if request.startswith("POST")]


def report(hour: str = "2026-11-20 09:00:00", ad_group: Any = "5", **figures: Any) -> dict[str, Any]:
    metrics = {"spend": "1.50", "impressions": "100", "clicks": "3", "conversion": "2", "complete_payment": "2"}
    metrics |= {"total_complete_payment_rate": "61.5"} | figures
    return {"dimensions": {"adgroup_id": ad_group, "stat_time_hour": hour}, "metrics": metrics}


def ad_day(day: str = "2026-11-20 00:00:00", ad: Any = "9", **figures: Any) -> dict[str, Any]:
    return report(**({"adgroup_id": "5"} | figures)) | {"dimensions": {"ad_id": ad, "stat_time_day": day}}


def campaign(**changes: Any) -> dict[str, Any]:
    row = {"campaign_id": "3", "campaign_name": "C", "operation_status": "ENABLE", "objective_type": "TRAFFIC"}
    return row | {"secondary_status": "CAMPAIGN_STATUS_ENABLE", "budget_mode": "BUDGET_MODE_INFINITE"} | changes


def ad_group(**changes: Any) -> dict[str, Any]:
    row = {"adgroup_id": 5, "campaign_id": "3", "adgroup_name": "N", "operation_status": "ENABLE"}
    row |= {"secondary_status": "ADGROUP_STATUS_DELIVERY_OK", "budget_mode": "BUDGET_MODE_DAY", "budget": 20.1}
    return row | changes


def ad(**changes: Any) -> dict[str, Any]:
    row = {"ad_id": "9", "adgroup_id": "5", "campaign_id": "3", "ad_name": "Film", "operation_status": "ENABLE"}
    return row | {"secondary_status": "AD_STATUS_DELIVERY_OK"} | changes


def shop_campaign(**changes: Any) -> dict[str, Any]:
    """A GMV Max campaign, as its list and its details tell it together."""
    row = {"campaign_id": "30", "campaign_name": "Shop", "operation_status": "ENABLE", "store_id": "77"}
    return row | {"objective_type": "PRODUCT_SALES", "budget": 25.0, "roas_bid": 2.5} | changes
