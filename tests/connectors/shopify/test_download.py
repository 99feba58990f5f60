"""Where a bulk file may come from in production."""

from __future__ import annotations

import httpx
import pytest
import respx

from connectors.errors import MalformedReplyError, TransientError
from connectors.shopify import download
from connectors.shopify.download import downloaded

STORAGE = "https://storage.googleapis.com/shopify/bulk.jsonl?Signature=abc"


@respx.mock
def test_a_file_is_fetched_from_the_internet_by_https() -> None:
    route = respx.get(STORAGE).mock(httpx.Response(200, content=b"{}\n"))
    with downloaded(STORAGE, base_url="") as file:
        assert file.seek(0) == 0
        assert file.read() == b"{}\n"
    assert "X-Shopify-Access-Token" not in route.calls[0].request.headers


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://storage.googleapis.com/x",
        "ftp://storage.googleapis.com/x",
        "https://storage.googleapis.com:8443/x",
        "https://user@storage.googleapis.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://metadata.google.internal/x",
        "https://metadata.google.internal./x",
        "https://127.1/x",
        "https://127.0.0.1./x",
        "https://0x7f.0.0.0x1/x",
        "https://localhost./x",
        "https:///x",
        "https://[",
        "//storage.googleapis.com/x",
    ],
)
def test_other_addresses_are_never_asked(url: str) -> None:
    with respx.mock, pytest.raises(MalformedReplyError), downloaded(url, base_url=""):
        pass


@respx.mock
def test_a_file_larger_than_any_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LARGEST_FILE", 10)
    respx.get(STORAGE).mock(httpx.Response(200, content=b"x" * 11))
    with pytest.raises(MalformedReplyError), downloaded(STORAGE, base_url=""):
        pass


@respx.mock
def test_a_file_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "LONGEST_DOWNLOAD", -1.0)
    respx.get(STORAGE).mock(httpx.Response(200, content=b"x"))
    with pytest.raises(TransientError), downloaded(STORAGE, base_url=""):
        pass


@respx.mock
def test_a_failure_does_not_tell_the_address() -> None:
    respx.get(STORAGE).mock(side_effect=httpx.ConnectError(f"cannot reach {STORAGE}"))
    with pytest.raises(TransientError) as caught, downloaded(STORAGE, base_url=""):
        pass
    assert "Signature" not in f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
