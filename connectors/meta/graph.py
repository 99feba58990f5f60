"""How one asks Meta's Graph API: versioned paths, the token in a header, its proof, and pages."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from connectors import fields
from connectors.contracts import Platform
from connectors.errors import ConfigurationError
from connectors.fields import Row, malformed, part, rows, text
from connectors.http import Judge, Transport
from connectors.meta.errors import PageTooLargeError, judge_read
from connectors.meta.usage import usage, wait
from connectors.pace import Pace
from connectors.pagination import by_cursor

digits = partial(fields.digits, platform=Platform.META)

PRODUCTION_URL = "https://graph.facebook.com"
PAGE_SIZE = 500
SMALLEST_PAGE = 10
LONGEST_CURSOR = 4_000


class Graph:
    """One token's way to the Graph API. `app_secret` adds the proof that Meta can demand of every call."""

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        access_token: str,
        app_secret: str | None = None,
        stop_file: Path | None = None,
        pace: Pace | None = None,
        **transport: Any,
    ) -> None:
        self.root = root(version)
        self.proof = {"appsecret_proof": appsecret_proof(access_token, app_secret)} if app_secret else {}
        self.transport = Transport(
            base_url or PRODUCTION_URL,
            platform=Platform.META,
            headers={"Authorization": f"Bearer {access_token}"},
            secrets=(access_token, app_secret or "", *self.proof.values()),
            stop_file=stop_file,
            pace=pace,
            usage=usage,
            wait=wait,
            **transport,
        )

    def get(self, path: str, **params: str) -> dict[str, Any]:
        return self._get(path, params, urgent=False)

    def get_now(self, path: str, **params: str) -> dict[str, Any]:
        """As `get`, for what a write waits for: the spare part of the rate budget may be used."""
        return self._get(path, params, urgent=True)

    def _get(self, path: str, params: Mapping[str, str], *, urgent: bool) -> dict[str, Any]:
        document: dict[str, Any] = self.transport.read(
            "GET", self.root + path, params={**params, **self.proof}, judge=judge_read, urgent=urgent
        )
        return document

    def ask(self, path: str, form: Mapping[str, str], *, judge: Judge = judge_read, calls: int = 1) -> Any:
        """A POST that changes nothing on the platform, and so may be tried again like a read."""
        return self.transport.read("POST", self.root + path, data={**form, **self.proof}, judge=judge, calls=calls)

    def listed(self, edge: str, *, page_size: int = PAGE_SIZE, **params: str) -> Iterator[Row]:
        """All rows of an edge; pages that Meta finds too large are asked for in halves."""
        limit = page_size

        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            nonlocal limit
            after = {"after": cursor} if cursor else {}
            while True:
                try:
                    page = self.get(edge, limit=str(limit), **params, **after)
                except PageTooLargeError:
                    if limit <= SMALLEST_PAGE:
                        raise
                    limit = max(limit // 2, SMALLEST_PAGE)
                else:
                    return rows(page.get("data"), "data"), _next_cursor(page)

        return by_cursor(fetch)


def root(version: str) -> str:
    """The beginning of every path; `ConfigurationError` for a version that is none."""
    if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]", version):
        raise ConfigurationError("meta: the version must be like v26.0", platform=Platform.META)
    return f"/{version}/"


def appsecret_proof(access_token: str, app_secret: str) -> str:
    """Lowercase hex HMAC-SHA256 of the token under the app's secret (facebook-business session.py)."""
    return hmac.new(app_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def _next_cursor(page: Row) -> str | None:
    """The cursor of the next page; the end is the absence of `next`, not a short page."""
    paging = part(page, "paging")
    if not paging.get("next"):
        return None
    after = text(part(paging, "cursors"), "after", LONGEST_CURSOR)
    if not after:
        raise malformed("paging", paging)
    return after
