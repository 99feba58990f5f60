"""Meta's login: the dialog where a person agrees, the code's exchange, longer-lived tokens, their inspection.

Sources: Facebook Login's manual flow and access-token pages.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

from connectors.sandbox.answers import Request, Response, answer
from connectors.sandbox.logins import SCOPES, LoginError, Token
from connectors.sandbox.meta_activities import APP_NAME, person, person_name
from connectors.sandbox.meta_errors import FAULTS, UNKNOWN_TOKEN, MetaError, error_body, missing
from connectors.sandbox.meta_session import PLATFORM, Params, Session, params_of
from connectors.sandbox.tenants import Account
from connectors.sandbox.world import World

OTHER_SCOPES = (
    *("public_profile", "email", "pages_show_list", "pages_read_engagement", "pages_manage_ads"),
    *("read_insights", "leads_retrieval", "catalog_management", "instagram_basic"),
)
KNOWN_SCOPES = (*SCOPES[PLATFORM], *OTHER_SCOPES)
CODE_ERRORS = {
    "unknown_code": MetaError(100, "Invalid verification code format."),
    "used_code": MetaError(100, "This authorization code has been used.", 36009),
    "expired_code": MetaError(100, "This authorization code has expired.", 36007),
    "other_redirect": MetaError(
        100,
        "Error validating verification code. Please make sure your redirect_uri is identical to the one you used "
        "in the OAuth dialog request",
        36008,
    ),
    "unknown_token": UNKNOWN_TOKEN,
    "expired_token": FAULTS["expired_token"],
}


class PageError(Exception):
    """What a person sees instead of the dialog; there is nowhere safe to send the browser back to."""


def app(world: World) -> Account:
    """Any account of the platform: all know the one app that the sandbox has."""
    return next(account for account in world.accounts.values() if account.platform == PLATFORM)


def dialog(world: World, request: Request) -> Response:
    """The page that asks a person; with `tenant` and `allow=1` (or `allow=0`), the answer to it."""
    params = {**request.args.to_dict(), **request.form.to_dict()}
    try:
        scopes = _asked(world, params)
        if "allow" in params:
            return _answered(world, params, scopes)
    except PageError as error:
        return Response(_page("Login error", f"<p>{escape(str(error))}</p>"), 400, mimetype="text/html")
    return Response(_question(world, params, scopes), mimetype="text/html")


def _asked(world: World, params: Params) -> tuple[str, ...]:
    """The scopes asked for. Raises PageError for a request that Meta does not show to the person."""
    if params.get("client_id") != app(world).app_id:
        raise PageError("Invalid App ID: The provided app ID does not look like a valid app ID.")
    target = urlsplit(_printable(params.get("redirect_uri", "")))
    if target.scheme not in ("http", "https") or not target.netloc or target.fragment:
        raise PageError("Missing or invalid redirect_uri parameter.")
    if params.get("response_type", "code") != "code":
        raise PageError("The sandbox knows response_type=code only.")
    if "config_id" in params:
        return SCOPES[PLATFORM]
    scopes = [scope for scope in re.split(r"[,\s]+", params.get("scope", "")) if scope]
    if unknown := [scope for scope in scopes if scope not in KNOWN_SCOPES]:
        raise PageError(f"Invalid Scopes: {', '.join(unknown)}.")
    return tuple(dict.fromkeys(("public_profile", *scopes)))


def _printable(uri: str) -> str:
    """The URI when it can stand in a header as it is, else ""."""
    return uri if re.fullmatch(r"[!-~]{1,2000}", uri) and "[" not in uri and "\\" not in uri else ""


def _answered(world: World, params: Params, scopes: tuple[str, ...]) -> Response:
    back = {"state": params["state"]} if "state" in params else {}
    if params["allow"] != "1":
        denial = {"error": "access_denied", "error_code": "200", "error_reason": "user_denied"}
        return _redirect(params["redirect_uri"], {**denial, "error_description": "Permissions error", **back})
    text = params.get("tenant", "")
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) >= len(world.shops):
        raise PageError("There is no such person.")
    code = world.logins.consent(PLATFORM, int(text), params["redirect_uri"], scopes)
    return _redirect(params["redirect_uri"], {"code": code, **back})


def _redirect(uri: str, query: Mapping[str, str]) -> Response:
    joint = "&" if urlsplit(uri).query else "?"
    return Response(status=302, headers={"Location": f"{uri}{joint}{urlencode(query)}"})


def _question(world: World, params: Params, scopes: tuple[str, ...]) -> str:
    known = ("client_id", "redirect_uri", "state", "scope", "response_type", "config_id")
    hidden = "".join(
        f'<input type="hidden" name="{name}" value="{escape(params[name])}">' for name in known if name in params
    )
    people = "".join(
        f'<label><input type="radio" name="tenant" value="{tenant}"{" checked" if not tenant else ""}> '
        f"{escape(person_name(shop.name))}</label><br>"
        for tenant, shop in enumerate(world.shops)
    )
    asked = "".join(f"<li>{escape(scope)}</li>" for scope in scopes)
    return _page(
        f"{APP_NAME} asks for access",
        f'<p>It would get these permissions:</p><ul>{asked}</ul><form method="post"><p>Log in as:</p>{hidden}{people}'
        '<button name="allow" value="1">Continue</button> <button name="allow" value="0">Cancel</button></form>',
    )


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    return f"<!doctype html><html><head>{head}</head><body><h1>{escape(title)}</h1>{body}</body></html>"


def access_token(world: World, params: Params) -> dict[str, Any]:
    """A token: for a code, for a younger one (`fb_exchange_token`), or the app's own (`client_credentials`)."""
    if params.get("client_id") != app(world).app_id:
        raise MetaError(101, "Error validating application. Cannot get application info due to a system error.")
    secret = params.get("client_secret", "")
    if not hmac.compare_digest(secret.encode(errors="replace"), app(world).app_secret.encode()):
        raise MetaError(1, "Error validating client secret.")
    kind = params.get("grant_type", "authorization_code")
    if kind == "client_credentials":
        return {"access_token": _app_token(world), "token_type": "bearer"}
    if kind not in GRANTS:
        raise MetaError(100, f"Invalid grant_type: {kind[:40]}")
    try:
        token = GRANTS[kind](world, params)
    except LoginError as error:
        raise CODE_ERRORS.get(error.reason, MetaError(100, str(error))) from error
    told: dict[str, Any] = {"access_token": token.text, "token_type": "bearer"}
    if token.expires_at is not None:
        told["expires_in"] = round((token.expires_at - world.logins.wall()).total_seconds())
    return told


def _for_code(world: World, params: Params) -> Token:
    if "code" not in params:
        raise missing("code")
    if "redirect_uri" not in params:
        raise missing("redirect_uri")
    return world.logins.exchange(PLATFORM, params["code"], params["redirect_uri"])


def _for_token(world: World, params: Params) -> Token:
    if "fb_exchange_token" not in params:
        raise missing("fb_exchange_token")
    return world.logins.renew(PLATFORM, params["fb_exchange_token"])


GRANTS: dict[str, Callable[[World, Params], Token]] = {
    "authorization_code": _for_code,
    "fb_exchange_token": _for_token,
}


def _app_token(world: World) -> str:
    found = app(world)
    return f"{found.app_id}|{hmac.new(found.app_secret.encode(), b'app token', 'sha256').hexdigest()[:27]}"


def debug_token(world: World, params: Params) -> dict[str, Any]:
    """What a token is worth; asked with the app's token, or by a token about itself."""
    asker, text = params.get("access_token", ""), params.get("input_token")
    if text is None:
        raise missing("input_token")
    found = app(world)
    if asker not in (_app_token(world), f"{found.app_id}|{found.app_secret}", text):
        raise MetaError(100, "(#100) You must provide an app access token, or a user access token of the app")
    token = world.logins.find(PLATFORM, text)
    if token is None:
        wrong = {"code": 190, "message": UNKNOWN_TOKEN.message, "subcode": UNKNOWN_TOKEN.subcode}
        return {"data": {"error": wrong, "is_valid": False, "scopes": []}}
    ends = int(token.expires_at.timestamp()) if token.expires_at is not None else 0
    told: dict[str, Any] = {
        "app_id": found.app_id,
        "type": "USER",
        "application": APP_NAME,
        "data_access_expires_at": ends,
        "expires_at": ends,
        "is_valid": not token.is_expired(world.logins.wall()),
        "scopes": list(token.scopes),
        "user_id": person(_owner(world, token)),
    }
    if not told["is_valid"]:
        wrong = error_body(FAULTS["expired_token"])["error"]
        told["error"] = {"code": wrong["code"], "message": wrong["message"], "subcode": wrong["error_subcode"]}
    return {"data": told}


def _owner(world: World, token: Token) -> Account:
    return next(iter(world.accounts_of(token.tenant, PLATFORM)))


def me(world: World, session: Session) -> dict[str, str]:
    return {"id": person(session.accounts[0]), "name": person_name(world.shops[session.token.tenant].name)}


def permissions(session: Session) -> dict[str, Any]:
    return {"data": [{"permission": scope, "status": "granted"} for scope in session.token.scopes]}


def revoke(world: World, session: Session) -> dict[str, bool]:
    return {"success": world.logins.revoke(PLATFORM, session.token.text)}


def login_endpoint(world: World, request: Request, path: str) -> Response | None:
    """The answer of a path that needs no token of a person, `None` for every other path."""
    if path == "dialog/oauth":
        return dialog(world, request)
    if path == "oauth/access_token":
        return answer(access_token(world, params_of(request)))
    return answer(debug_token(world, params_of(request))) if path == "debug_token" else None
