"""Meta's batch: up to 50 requests in one, each answered with its code, headers and body as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from werkzeug.test import EnvironBuilder

from connectors.sandbox.answers import Request, Response, loads
from connectors.sandbox.meta_errors import MetaError, error_answer
from connectors.sandbox.meta_session import params_of, sound

MOST = 50
NESTED = MetaError(100, "(#100) a batch cannot stand in a batch")


def batch(outer: Request, text: str, respond: Callable[[Request], Response | None]) -> list[dict[str, Any] | None]:
    """Answer the parts in turn; null for one that was given up. They inherit the token; a part that fails does
    not stop the others."""
    parts = loads(text)
    if not isinstance(parts, list) or not 1 <= len(parts) <= MOST:
        raise MetaError(100, f"(#100) batch must be a JSON array of 1 to {MOST} requests")
    if not all(_is_request(part) for part in parts):
        raise MetaError(100, "(#100) each request of a batch needs a method and a relative_url")
    requests = [_request(outer, part) for part in parts]
    return [_answer(error_answer(NESTED) if "batch" in params_of(inner) else respond(inner)) for inner in requests]


def _answer(response: Response | None) -> dict[str, Any] | None:
    if response is None:
        return None
    headers = [{"name": name, "value": value} for name, value in response.headers.items()]
    return {"code": response.status_code, "headers": headers, "body": response.get_data(as_text=True)}


def parts_of(outer: Request, text: str) -> list[Request]:
    """The requests inside a batch, [] when it is none."""
    parts = loads(text)
    known = [part for part in parts if _is_request(part)] if isinstance(parts, list) else []
    requests = [_request(outer, part) for part in known[:MOST]]
    return [inner for inner in requests if "batch" not in params_of(inner)]


def _is_request(part: Any) -> bool:
    if not isinstance(part, dict) or part.get("method", "GET") not in ("GET", "POST", "DELETE"):
        return False
    try:
        urlsplit(str(part["relative_url"]).lstrip("/"))
    except (KeyError, ValueError):
        return False
    return isinstance(part["relative_url"], str)


def _request(outer: Request, part: dict[str, Any]) -> Request:
    method, url = part.get("method", "GET"), sound(part["relative_url"]).lstrip("/")
    version = outer.path.split("/")[1]
    path, _, query = url.partition("?")
    path = path if path.startswith(f"{version}/") else f"{version}/{path}"
    given = {**outer.args, **outer.form}
    token: dict[str, str] = {name: given[name] for name in ("access_token", "appsecret_proof") if name in given}
    made = EnvironBuilder(
        f"/{path}",
        method=method,
        query_string="&".join(filter(None, [query, urlencode(token)])),
        data=sound(str(part.get("body", ""))),
        content_type="application/x-www-form-urlencoded",
        headers=[("Authorization", outer.headers.get("Authorization", ""))],
        base_url=outer.host_url,
    )
    return Request(made.get_environ())
