"""Who asks Meta's face, and for what: the parameters of a request, its token, the accounts that it opens."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.sandbox.answers import Request, loads
from connectors.sandbox.logins import Token
from connectors.sandbox.meta_errors import FAULTS, UNKNOWN_TOKEN, MetaError
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

Params = Mapping[str, str]
Node = Account | AdObject

PLATFORM = "meta"
READ_SCOPES = frozenset({"ads_read", "ads_management"})
WRITE_SCOPES = frozenset({"ads_management"})


@dataclass(frozen=True)
class Session:
    """A token that exists, living or expired, and the ad accounts of its tenant."""

    token: Token
    accounts: tuple[Account, ...]

    def opens(self, account_id: str) -> bool:
        return any(account.id == account_id for account in self.accounts)


@dataclass(frozen=True)
class Call:
    """One request to one node of the graph, already allowed."""

    world: World
    request: Request
    params: Params
    target: Node

    @property
    def account(self) -> Account:
        target = self.target
        return target if isinstance(target, Account) else self.world.accounts[target.account]


def params_of(request: Request) -> dict[str, str]:
    """Query, form and JSON body as one; what is no text in a JSON body is written as JSON."""
    body = loads(request.get_data(as_text=True), {}) if request.is_json else {}
    typed = {sound(str(k)): sound(v) if isinstance(v, str) else json.dumps(v) for k, v in _items(body)}
    return {**request.args.to_dict(), **request.form.to_dict(), **typed}


def sound(text: str) -> str:
    """The text without halves of characters, which JSON can spell and UTF-8 cannot."""
    return text.encode(errors="replace").decode()


def _items(body: Any) -> list[tuple[Any, Any]]:
    return list(body.items()) if isinstance(body, dict) else []


def many(text: str) -> list[Any]:
    """A parameter that is a list: as JSON, or one bare word."""
    value = loads(text, [text])
    return value if isinstance(value, list) else [value]


def token_text(request: Request, params: Params) -> str:
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    return params.get("access_token") or (bearer.strip() if scheme.lower() == "bearer" else "")


def session_of(world: World, text: str) -> Session | None:
    """The session of a token, be it expired; `None` for one that is unknown or revoked."""
    token = world.logins.find(PLATFORM, text) if text else None
    return None if token is None else Session(token, tuple(world.accounts_of(token.tenant, PLATFORM)))


def authenticate(world: World, request: Request, params: Params) -> Session:
    """The living session of a request. Raises MetaError for a dead token and for a proof of another one."""
    text = token_text(request, params)
    if not text:
        raise MetaError(104, "An access token is required to request this resource.")
    session = session_of(world, text)
    if session is None:
        raise UNKNOWN_TOKEN
    if session.token.is_expired(world.logins.wall()):
        raise FAULTS["expired_token"]
    proof = params.get("appsecret_proof")
    if proof is not None and not _proves(proof, text, session.accounts[0].app_secret):
        raise MetaError(100, "Invalid appsecret_proof provided in the API argument")
    return session


def _proves(proof: str, text: str, app_secret: str) -> bool:
    wanted = hmac.new(app_secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    return hmac.compare_digest(proof.encode(errors="replace"), wanted.encode())


def require(session: Session, scopes: frozenset[str]) -> None:
    """Raise MetaError unless the token has one of the scopes."""
    if not scopes & set(session.token.scopes):
        wanted = " or ".join(sorted(scopes))
        raise MetaError(200, f"(#200) Ad account owner has NOT grant {wanted} permission")
