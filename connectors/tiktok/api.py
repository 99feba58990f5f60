"""How one asks TikTok's Business API: versioned paths, the token in a header, lists as JSON text, numbered pages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from connectors import fields
from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.fields import Row, count, known, row, rows
from connectors.http import Judge, Transport
from connectors.pace import Pace
from connectors.pagination import by_number
from connectors.tiktok.errors import judge_read

digits = partial(fields.digits, platform=Platform.TIKTOK)

PRODUCTION_URL = "https://business-api.tiktok.com"
PAGE_SIZE = 1000

T = TypeVar("T")


class Api:
    """One token's way to the API."""

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        access_token: str,
        secrets: tuple[str, ...] = (),
        stop_file: Path | None = None,
        pace: Pace | None = None,
        **transport: Any,
    ) -> None:
        self.root = root(version)
        self.transport = Transport(
            base_url or PRODUCTION_URL,
            platform=Platform.TIKTOK,
            headers={"Access-Token": access_token} if access_token else {},
            secrets=(access_token, *secrets),
            stop_file=stop_file,
            pace=pace,
            **transport,
        )

    def get(self, path: str, *, judge: Judge = judge_read, urgent: bool = False, **params: Any) -> dict[str, Any]:
        """The `data` of an answer; `urgent` is what a write waits for."""
        query = {name: v if isinstance(v, str) else json.dumps(v) for name, v in params.items()}
        data: dict[str, Any] = self.transport.read("GET", self.root + path, params=query, judge=judge, urgent=urgent)
        return data

    def listed(
        self,
        path: str,
        key: Callable[[T], Hashable],
        *,
        reading: Callable[[list[Row]], list[T]],
        page_size: int = PAGE_SIZE,
        judge: Judge = judge_read,
        **params: Any,
    ) -> list[T]:
        """All rows of a listing, a page at a time as `reading` makes them; `key` tells one from another."""

        def fetch(number: int) -> tuple[list[T], int, int]:
            data = self.get(path, judge=judge, page=number, page_size=page_size, **params)
            info = row(data.get("page_info"), "page_info")
            pages, total = (known(count(info, name), name) for name in ("total_page", "total_number"))
            return reading(rows(data.get("list"), "list")), pages, total

        return by_number(fetch, key)


def root(version: str) -> str:
    """The beginning of every path; `ConfigurationError` for a version that is none."""
    if not re.fullmatch(r"v[0-9]{1,2}\.[0-9]", version):
        raise ConfigurationError("tiktok: the version must be like v1.3", platform=Platform.TIKTOK)
    return f"/open_api/{version}/"
