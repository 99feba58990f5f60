"""How one asks TikTok Shop's Partner API: signed requests, the token in a header, pages that name the next."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from connectors.contracts import Platform
from connectors.fields import Row, count, malformed, rows
from connectors.http import Transport
from connectors.pagination import by_cursor
from connectors.tiktok_shop.errors import judge
from connectors.tiktok_shop.signing import sign

PRODUCTION_URL = "https://open-api.tiktokglobalshop.com"
JSON = "application/json"
Params = Mapping[str, str]
Body = Mapping[str, Any]
NOTHING: Params = {}


class Page(NamedTuple):
    """`total` is how many rows the listing has at that moment, where TikTok counts them."""

    rows: list[Row]
    total: int | None


class Api:
    """One token's way to the API. `cipher` names the shop in requests, "" for who has none; `clock` is wall time."""

    def __init__(
        self,
        *,
        base_url: str,
        app_key: str,
        app_secret: str,
        access_token: str,
        cipher: str = "",
        clock: Callable[[], float] = time.time,
        **transport: Any,
    ) -> None:
        self._app_key, self._app_secret = app_key, app_secret
        self._cipher, self.clock = cipher, clock
        self._transport = Transport(
            base_url or PRODUCTION_URL,
            platform=Platform.TIKTOK_SHOP,
            headers={"x-tts-access-token": access_token},
            secrets=(access_token, app_secret),
            **transport,
        )

    def ask(
        self, method: str, path: str, params: Params = NOTHING, body: Body | None = None, *, of_shop: bool = True
    ) -> dict[str, Any]:
        """The `data` of an answer. What is not `of_shop` must not name one: TikTok refuses a cipher too many."""
        query = {"app_key": self._app_key, "timestamp": str(int(self.clock())), **params}
        if of_shop and self._cipher:
            query["shop_cipher"] = self._cipher
        content = json.dumps(body, separators=(",", ":")).encode() if body else None
        headers = {"Content-Type": JSON} if content else None
        query["sign"] = sign(path, query, content or b"", JSON, self._app_secret)
        data: dict[str, Any] = self._transport.read(
            method, path, params=query, content=content, headers=headers, judge=judge
        )
        return data

    def pages(
        self, method: str, path: str, name: str, size: int, params: Params = NOTHING, body: Body | None = None
    ) -> Iterator[Page]:
        """The pages of the listing `name`, from the first to that which names no next."""

        def fetch(token: str | None) -> tuple[list[Page], str | None]:
            more = {} if token is None else {"page_token": token}
            data = self.ask(method, path, {"page_size": str(size), **params, **more}, body)
            page = Page(rows(data.get(name, []), name), count(data, "total_count"))
            if token is None and name not in data and page.total:  # only a page without rows may leave the list out
                raise malformed(name, None)
            return [page], _next_token(data)

        return by_cursor(fetch)

    def listed(
        self, method: str, path: str, name: str, size: int, params: Params = NOTHING, body: Body | None = None
    ) -> Iterator[Row]:
        """Every row of a listing, as `pages`."""
        for page in self.pages(method, path, name, size, params, body):
            yield from page.rows


def _next_token(data: Row) -> str | None:
    token = data.get("next_page_token")
    if token is not None and not (isinstance(token, str) and re.fullmatch(r"[\x20-\x7e]{1,4000}", token)):
        raise malformed("next_page_token", token)
    return token
