"""A bulk operation's file, fetched from wherever Shopify keeps it: never with our token, and never by halves."""

from __future__ import annotations

import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO
from urllib.parse import SplitResult, urlsplit

import httpx

from connectors.contracts import Platform
from connectors.errors import MalformedReplyError, NotFoundError, TransientError
from connectors.http import TIMEOUT

LARGEST_FILE = 4 * 1024**3
LONGEST_DOWNLOAD = 1_800.0  # seconds
# An address lives for seven days; a store of files answers one that is over with one of these.
GONE = frozenset({400, 403, 404, 410})
# A top-level domain begins with a letter; what ends in a number is read as an address, "127.1" as well.
NAME = re.compile(r"([a-z0-9_-]+\.)+[a-z][a-z0-9-]*")


@contextmanager
def downloaded(url: str, *, base_url: str) -> Iterator[IO[bytes]]:
    """The whole file, in a temporary one. Raises `MalformedReplyError` for an address we do not ask.

    In production that is any host by https; elsewhere the origin of `base_url` only. `TransientError` when the
    file did not come whole, `NotFoundError` when the address is over.
    """
    _check(url, base_url)
    with tempfile.TemporaryFile(prefix="bursar-bulk-") as file:
        try:
            _fetch(url, file)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure = type(error).__name__  # its text may quote the address, which is as good as a key
        else:
            failure = ""
        if failure:
            raise TransientError(f"shopify: the bulk file did not come: {failure}", platform=Platform.SHOPIFY)
        yield file


def _fetch(url: str, file: IO[bytes]) -> None:
    until = time.monotonic() + LONGEST_DOWNLOAD
    headers = {"User-Agent": "bursar", "Accept-Encoding": "identity"}
    with (
        httpx.Client(timeout=TIMEOUT, trust_env=False, follow_redirects=False, headers=headers) as client,
        client.stream("GET", url) as response,
    ):
        if response.status_code != 200:
            kind = NotFoundError if response.status_code in GONE else TransientError
            message = f"shopify: the bulk file was refused, HTTP status {response.status_code}"
            raise kind(message, platform=Platform.SHOPIFY)
        size = 0
        for chunk in response.iter_bytes(1024 * 1024):
            size += len(chunk)
            if size > LARGEST_FILE:
                raise MalformedReplyError("shopify: the bulk file is larger than any we expect")
            if time.monotonic() > until:
                raise TransientError("shopify: the bulk file took too long", platform=Platform.SHOPIFY)
            file.write(chunk)


def _check(url: str, base_url: str) -> None:
    try:
        asked, allowed = urlsplit(url), urlsplit(base_url)
        fits = _origin(asked) == _origin(allowed) if base_url else _is_public(asked)
    except ValueError:
        fits = False
    if not fits:
        raise MalformedReplyError("shopify: the bulk file is at an address that is not asked")


def _origin(parts: SplitResult) -> tuple[str, str]:
    return parts.scheme, parts.netloc


def _is_public(parts: SplitResult) -> bool:
    """Whether it is a host on the internet by its name, by https at the usual port."""
    if parts.scheme != "https" or parts.netloc != parts.hostname or not NAME.fullmatch(parts.netloc):
        return False
    return not parts.netloc.endswith((".local", ".internal", ".localhost"))
