"""A seller's or creator's app at TikTok Shop, over plain HTTP, with a signature of its own making."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import httpx

from tests.connectors.sandbox.visitor import Visitor

ORDERS = "/order/202309/orders/search"


class Seller(Visitor):
    """`shop` is the place of the shop among the tenant's."""

    shop = 0

    @property
    def keys(self) -> dict[str, Any]:
        found: dict[str, Any] = self.who["tiktok_shop"]
        return found

    def signed(
        self, method: str, path: str, params: dict[str, str], raw: bytes = b"", *, cipher: bool = True
    ) -> tuple[str, bytes]:
        """The address with its signature, and the bytes that were signed."""
        asked = {"app_key": self.keys["app_key"], "timestamp": str(int(time.time()))}
        if cipher:
            asked["shop_cipher"] = self.keys["shops"][self.shop]["shop_cipher"]
        asked.update(params)
        secret = self.keys["app_secret"].encode()
        text = path + "".join(name + asked[name] for name in sorted(asked))
        sign = hmac.new(secret, secret + text.encode() + raw + secret, hashlib.sha256).hexdigest()
        return f"{path}?{urlencode({**asked, 'sign': sign})}", raw

    def raw(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        *,
        token: str | None = None,
        cipher: bool = True,
        params: dict[str, str] | None = None,
    ) -> httpx.Response:
        raw = json.dumps(body, separators=(",", ":")).encode() if body is not None else b""
        url, raw = self.signed(method, path, params or {}, raw, cipher=cipher)
        return self.sent(method, url, raw, token)

    def sent(self, method: str, url: str, raw: bytes = b"", token: str | None = None) -> httpx.Response:
        headers = {"x-tts-access-token": self.keys["access_token"] if token is None else token}
        return self.send(method, url, content=raw, headers={**headers, "Content-Type": "application/json"})

    def asks(self, path: str, **params: str) -> Any:
        return self.data(self.raw("GET", path, params=params))

    def posts(self, path: str, body: dict[str, Any] | None = None, **params: str) -> Any:
        return self.data(self.raw("POST", path, body, params=params))

    def creator(self, method: str, path: str, body: dict[str, Any] | None = None, **params: str) -> Any:
        token = self.keys["creator_access_token"]
        return self.data(self.raw(method, path, body, token=token, cipher=False, params=params))

    def data(self, response: httpx.Response) -> Any:
        answer = response.json()
        assert (response.status_code, answer["code"]) == (200, 0), answer
        assert answer["request_id"]
        return answer["data"]

    def refused(self, response: httpx.Response) -> tuple[int, int]:
        """HTTP status and code of a refusal, which tells nothing else."""
        answer = response.json()
        assert answer["data"] is None
        assert answer["message"]
        return response.status_code, answer["code"]

    def pages(
        self, path: str, key: str, body: dict[str, Any] | None = None, method: str = "POST", **params: str
    ) -> list[dict[str, Any]]:
        """Every row of a listing, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.data(self.raw(method, path, body, params=params))
            found += page.get(key, [])
            if not page["next_page_token"]:
                return found
            params["page_token"] = page["next_page_token"]

    def all_orders(self, body: dict[str, Any] | None = None, **params: str) -> list[dict[str, Any]]:
        return self.pages(ORDERS, "orders", body or {}, page_size="100", **params)

    def now(self) -> int:
        return int(datetime.fromisoformat(self.get("/_control/clock")["now"]).timestamp())
