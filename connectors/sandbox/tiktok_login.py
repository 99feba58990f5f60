"""TikTok's consent page and its tokens: who may ask what.

`/portal/auth` sends the person back with `auth_code` (and `code`, the same) and `state`. A code is used once, within
an hour; a token has no end of its own and no refresh. Scopes belong to the app and are told as numbers; which number
stands for what is the sandbox's assumption.
"""

from __future__ import annotations

from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.sandbox.answers import Request, Response
from connectors.sandbox.logins import SCOPES, LoginError, Token
from connectors.sandbox.tenants import Account
from connectors.sandbox.tiktok_terms import Outcome, TikTokError, text
from connectors.sandbox.world import World

PORTAL = "/portal/auth"
ACCOUNTS, REPORTS, ADS, CREATIVES, PIXELS = "1", "3", "4", "8", "9"
SCOPE_OF = {
    "advertiser/": ACCOUNTS,
    "report/": REPORTS,
    "gmv_max/report/": REPORTS,
    "file/": CREATIVES,
    "identity/": CREATIVES,
    "pixel/": PIXELS,
    "oauth2/": "",
}
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>TikTok for Business (sandbox)</title>
<meta name="viewport" content="width=device-width"></head><body><main>{body}</main></body></html>"""


def portal(world: World, request: Request) -> Response:
    """The consent page, or the way back from it. HTML, not the API's envelope."""
    asked = request.args
    back = asked.get("redirect_uri", "")
    if asked.get("app_id") not in {account.app_id for account in _advertisers(world)}:
        return _page("<h1>This app does not exist</h1>", 400)
    if urlsplit(back).scheme not in ("http", "https") or not back.isprintable():
        return _page("<h1>redirect_uri is not valid</h1>", 400)
    tenant = asked.get("tenant", "")
    if asked.get("allow") == "1" and tenant in map(str, range(len(world.shops))):
        code = world.logins.consent("tiktok", int(tenant), back, SCOPES["tiktok"])
        told = {"auth_code": code, "code": code, "state": asked.get("state", "")}
        joint = "&" if urlsplit(back).query else "?"
        return Response(status=302, headers={"Location": f"{back}{joint}{urlencode(told)}"})
    return _page(_choices(world, dict(asked.items())))


def exchange(world: World, body: dict[str, Any]) -> Outcome:
    """An `auth_code` for a token, once. Raises TikTokError."""
    check_app(world, body)
    code = text(body, "auth_code")
    try:
        token = world.logins.exchange("tiktok", code, None)
    except LoginError as error:
        raise TikTokError(40110, f"Auth_code is not valid: {error}.") from error
    accounts = world.accounts_of(token.tenant, "tiktok")
    scope = sorted(int(each) for each in token.scopes if each.isdecimal())
    return Outcome({"access_token": token.text, "advertiser_ids": [account.id for account in accounts], "scope": scope})


def revoke(world: World, body: dict[str, Any]) -> Outcome:
    check_app(world, body)
    if not world.logins.revoke("tiktok", text(body, "access_token")):
        raise TikTokError(40105, "Access token is incorrect or has been revoked.")
    return Outcome({})


def advertisers(world: World, token: Token, params: dict[str, Any]) -> Outcome:
    """The advertisers that a token opens, by id and name."""
    check_app(world, params)
    accounts = world.accounts_of(token.tenant, "tiktok")
    return Outcome({"list": [{"advertiser_id": each.id, "advertiser_name": each.name} for each in accounts]})


def check_app(world: World, params: dict[str, Any]) -> None:
    given = text(params, "app_id"), text(params, "secret")
    if given not in {(account.app_id, account.app_secret) for account in _advertisers(world)}:
        raise TikTokError(40002, "app_id or secret is incorrect.")


def token_of(world: World, request: Request, path: str) -> Token:
    """The living token of a request, which reaches as far as the path. Raises TikTokError."""
    given = request.headers.get("Access-Token", "")
    if not given:
        raise TikTokError(40104, "Access token is empty.")
    token = world.logins.find("tiktok", given)
    if token is None:
        raise TikTokError(40105, "Access token is incorrect or has been revoked.")
    if token.is_expired(world.logins.wall()):
        raise TikTokError(40102, "Access token is expired.")
    needed = next((scope for prefix, scope in SCOPE_OF.items() if path.startswith(prefix)), ADS)
    if needed and needed not in token.scopes:
        raise TikTokError(40130, "The token is not authorized for this scope.")
    return token


def account_of(world: World, token: Token, advertiser_id: Any) -> Account:
    """The advertiser that a request names. Raises TikTokError unless the token opens it."""
    if not advertiser_id:
        raise TikTokError(40002, "advertiser_id: Missing data for required field.")
    for account in world.accounts_of(token.tenant, "tiktok"):
        if account.id == str(advertiser_id):
            return account
    raise TikTokError(40001, "No permission to operate the advertiser.")


def _advertisers(world: World) -> list[Account]:
    return [account for account in world.accounts.values() if account.platform == "tiktok"]


def _choices(world: World, asked: dict[str, str]) -> str:
    kept = {name: asked.get(name, "") for name in ("app_id", "redirect_uri", "state")}
    links = [
        f'<li><a href="{escape(PORTAL)}?{escape(urlencode({**kept, "tenant": tenant, "allow": 1}))}">'
        f"Allow as {escape(shop.name)}</a></li>"
        for tenant, shop in enumerate(world.shops)
    ]
    return f"<h1>Let this app manage your ads?</h1><ul>{''.join(links)}</ul>"


def _page(body: str, status: int = 200) -> Response:
    return Response(PAGE.format(body=body), status=status, mimetype="text/html")
