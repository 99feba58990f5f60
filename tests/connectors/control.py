"""The sandbox's control endpoints, as tests use them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from connectors.contracts import AdPlatform, Platform
from connectors.registry import Connection, ad_platform, store_platform
from connectors.store_contracts import StorePlatform

VERSIONS = {Platform.META: "v26.0", Platform.TIKTOK: "v1.3", Platform.SHOPIFY: "2026-10"}
OWN_ID = {Platform.META: "account_id", Platform.TIKTOK: "advertiser_id", Platform.SHOPIFY: "shop"}


@dataclass(frozen=True)
class Control:
    """One running sandbox."""

    url: str

    def get(self, name: str) -> Any:
        return httpx.get(f"{self.url}/_control/{name}", trust_env=False).raise_for_status().json()

    def post(self, name: str, **body: Any) -> Any:
        answer = httpx.post(f"{self.url}/_control/{name}", json=body, timeout=60, trust_env=False)
        return answer.raise_for_status().json()

    def now(self) -> datetime:
        return datetime.fromisoformat(self.get("clock")["now"])

    def connection(self, platform: Platform, **secrets: str) -> Connection:
        own = self.get("credentials")[platform]
        return Connection(platform, self.url, VERSIONS[platform], own[OWN_ID[platform]], own | secrets)

    def ads(self, platform: Platform, **secrets: str) -> AdPlatform:
        return ad_platform(self.connection(platform, **secrets))

    def store(self, **secrets: str) -> StorePlatform:
        return store_platform(self.connection(Platform.SHOPIFY, **secrets))

    @contextmanager
    def fault(self, kind: str, platform: Platform, **where: Any) -> Iterator[None]:
        """The fault stands for the next `count` requests that fit; nothing of it is left afterwards."""
        self.post("faults", fault=kind, platform=platform, **where)
        try:
            yield
        finally:
            httpx.delete(f"{self.url}/_control/faults", trust_env=False).raise_for_status()

    @contextmanager
    def written(self) -> Iterator[list[dict[str, Any]]]:
        """The ledger's rows of what happens inside, filled in at the end."""
        rows: list[dict[str, Any]] = []
        before = len(self.get("ledger"))
        try:
            yield rows
        finally:
            rows += self.get("ledger")[before:]
