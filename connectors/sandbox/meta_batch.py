"""Meta's batch: up to 50 requests in one, each answered with its code, headers and body as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from werkzeug.test import EnvironBuilder

from connectors.sandbox.answers import Request, Response, loads
from connectors.sandbox.meta_fields import MetaError

MOST = 50


def batch(outer: Request, text: str, respond: Callable[[Request], Response]) -> list[dict[str, Any]]:
    """Answer the parts in turn. They inherit the token; a part that fails does not stop the others."""
    parts = loads(text)
    if not isinstance(parts, list) or not 1 <= len(parts) <= MOST:
        raise MetaError(100, f"(#100) batch must be a JSON array of 1 to {MOST} requests")
    if not all(_is_request(part) for part in parts):
        raise MetaError(100, "(#100) each request of a batch needs a method and a relative_url")
    answers = []
    for part in parts:
        response = respond(_request(outer, part))
        headers = [{"name": name, "value": value} for name, value in response.headers.items()]
        answers.append({"code": response.status_code, "headers": headers, "body": response.get_data(as_text=True)})
    return answers


def parts_of(outer: Request, text: str) -> list[Request]:
    """The requests inside a batch, [] when it is none."""
    parts = loads(text)
    known = [part for part in parts if _is_request(part)] if isinstance(parts, list) else []
    return [_request(outer, part) for part in known[:MOST]]


def _is_request(part: Any) -> bool:
    return (
        isinstance(part, dict)
        and isinstance(part.get("relative_url"), str)
        and part.get("method", "GET") in ("GET", "POST", "DELETE")
    )


def _request(outer: Request, part: dict[str, Any]) -> Request:
    method, url = part.get("method", "GET"), part["relative_url"].lstrip("/")
    version = outer.path.split("/")[1]
    path, _, query = url.partition("?")
    path = path if path.startswith(f"{version}/") else f"{version}/{path}"
    given = {**outer.args, **outer.form}
    token: dict[str, str] = {name: given[name] for name in ("access_token", "appsecret_proof") if name in given}
    made = EnvironBuilder(
        f"/{path}",
        method=method,
        query_string="&".join(filter(None, [query, urlencode(token)])),
        data=str(part.get("body", "")),
        content_type="application/x-www-form-urlencoded",
        headers=[("Authorization", outer.headers.get("Authorization", ""))],
        base_url=outer.host_url,
    )
    return Request(made.get_environ())
