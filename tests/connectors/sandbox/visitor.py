"""Plain HTTP against a sandbox, as a stranger would speak it."""

from __future__ import annotations

import json
import time
from functools import cached_property
from typing import Any

import httpx

HOURLY = "hourly_stats_aggregated_by_advertiser_time_zone"
TIKTOK = "/open_api/v1.3/"
GRAPHQL = "/admin/api/2026-10/graphql.json"


class Visitor:
    def __init__(self, url: str, tenant: int = 0) -> None:
        self.url, self.tenant = url, tenant
        self.client = httpx.Client(trust_env=False, verify=False, timeout=30)

    @cached_property
    def who(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/_control/credentials")["tenants"][self.tenant]
        return found

    @property
    def account(self) -> str:
        return str(self.who["meta"]["account_id"])

    @property
    def advertiser(self) -> str:
        return str(self.who["tiktok"]["advertiser_id"])

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        url = path if path.startswith("http") else self.url + path
        return self.client.request(method, url, **options)

    def get(self, path: str, **params: Any) -> Any:
        return self.send("GET", path, params=params).json()

    def control(self, name: str, **body: Any) -> Any:
        return self.send("POST", f"/_control/{name}", json=body).json()

    def ledger(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.get("/_control/ledger")
        return rows

    def advance(self, hours: float) -> None:
        assert "now" in self.control("clock", advance_hours=hours)

    def meta_raw(self, method: str, path: str, values: dict[str, Any] | None = None) -> httpx.Response:
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in (values or {}).items()}
        where = "params" if method == "GET" else "data"
        headers = {"Authorization": f"Bearer {self.who['meta']['access_token']}"}
        return self.send(method, f"/v26.0/{path}", headers=headers, **{where: texts})

    def meta(self, path: str, **params: Any) -> Any:
        return self.meta_raw("GET", path, params).json()

    def meta_write(self, path: str, **params: Any) -> Any:
        return self.meta_raw("POST", path, params).json()

    def meta_all(self, path: str, **params: Any) -> list[dict[str, Any]]:
        """Every row of an edge, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.meta(path, **params)
            found += page["data"]
            if "next" not in page.get("paging", {}):
                return found
            params["after"] = page["paging"]["cursors"]["after"]

    def hours(self, first: str, last: str, **params: Any) -> list[dict[str, Any]]:
        return self.meta_all(
            f"{self.account}/insights",
            level="adset",
            fields="adset_id,spend,impressions,clicks,actions",
            time_range={"since": first, "until": last},
            time_increment="1",
            breakdowns=[HOURLY],
            **{"limit": "500", **params},
        )

    def tiktok(self, path: str, **params: Any) -> Any:
        texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in params.items()}
        headers = {"Access-Token": self.who["tiktok"]["access_token"]}
        asked = {"advertiser_id": self.advertiser, **texts}
        return self.send("GET", TIKTOK + path, headers=headers, params=asked).json()

    def tiktok_write(self, path: str, **body: Any) -> Any:
        headers = {"Access-Token": self.who["tiktok"]["access_token"]}
        asked = {"advertiser_id": self.advertiser, **body}
        return self.send("POST", TIKTOK + path, headers=headers, json=asked).json()

    def report(self, first: str, last: str, time_dimension: str = "stat_time_hour", **params: Any) -> Any:
        asked = {
            "report_type": "BASIC",
            "service_type": "AUCTION",
            "data_level": "AUCTION_ADGROUP",
            "dimensions": ["adgroup_id", time_dimension],
            "metrics": ["spend", "impressions", "clicks", "conversion", "total_complete_payment_rate", "reach"],
            "start_date": first,
            "end_date": last,
            "page_size": "1000",
        }
        return self.tiktok("report/integrated/get/", **{**asked, **params})

    def graphql(self, query: str, **variables: Any) -> Any:
        headers = {"X-Shopify-Access-Token": self.who["shopify"]["access_token"]}
        return self.send("POST", GRAPHQL, headers=headers, json={"query": query, "variables": variables}).json()

    def orders(self, selection: str, query: str = "", size: int = 50, sort: str = "CREATED_AT") -> list[Any]:
        """Every order that the query finds, page by page."""
        text = (
            "query($n: Int!, $after: String, $q: String, $sort: OrderSortKeys!) { "
            "orders(first: $n, after: $after, query: $q, sortKey: $sort) { "
            f"nodes {{ id {selection} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        found: list[Any] = []
        after = None
        while True:
            page = self._patient(text, n=size, after=after, q=query, sort=sort)["data"]["orders"]
            found += page["nodes"]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                return found

    def _patient(self, query: str, **variables: Any) -> Any:
        """The answer, once the cost bucket allows it."""
        while True:
            answer = self.graphql(query, **variables)
            refused = answer.get("errors", [{}])[0].get("extensions", {}).get("code") == "THROTTLED"
            if not refused:
                return answer
            time.sleep(0.2)
