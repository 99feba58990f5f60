"""Meta's OAuth pages and endpoints as a `LoginProvider` (facebook-login, manually built flow)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from connectors.contracts import Platform
from connectors.errors import AuthenticationError, ConnectorError
from connectors.fields import Row, access_token, count, part
from connectors.http import Transport
from connectors.login_contracts import Grant, LoginApp, OwnedAccount
from connectors.meta import parse
from connectors.meta.errors import judge_read, judge_write
from connectors.meta.graph import PRODUCTION_URL, Graph, root
from connectors.redaction import BLOT

SCOPES = ("ads_read", "ads_management", "business_management")
LONGEST_LIFE = 10 * 365 * 86_400
LARGEST_TIME = 4_102_444_800  # the year 2100


class MetaLogin:
    """The app that asks people for access to their ad accounts. `transport` are options of the HTTP transport."""

    platform = Platform.META

    def __init__(self, app: LoginApp, **transport: Any) -> None:
        self._base_url, self._dialog_url, self._version = app.base_url or PRODUCTION_URL, app.dialog_url, app.version
        self._root = root(app.version)
        self._app_id, self._app_secret = app.app_id, app.app_secret
        self._options = transport

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        asked = {"client_id": self._app_id, "redirect_uri": redirect_uri, "state": state}
        asked |= {"scope": ",".join(SCOPES), "response_type": "code"}
        return f"{self._dialog_url.rstrip('/')}{self._root}dialog/oauth?{urlencode(asked)}"

    def check_callback(self, query: str) -> None:
        """Meta signs no callback."""

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        """The long-lived grant for a code, which is sent once: it works once, however the answer is lost."""
        found = self._ask({"redirect_uri": redirect_uri, "code": code}, read_attempts=1)
        return self._long_lived(_token(found))

    def refresh(self, grant: Grant) -> Grant:
        """A younger grant; a dead one cannot be exchanged and raises `AuthenticationError`."""
        return self._long_lived(grant.access_token)

    def revoke(self, grant: Grant) -> None:
        graph = self._graph(grant.access_token)
        try:
            graph.transport.write(graph.root + "me/permissions", method="DELETE", params=graph.proof, judge=judge_write)
        except AuthenticationError:
            return

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        graph = self._graph(grant.access_token)
        return [parse.owned_account(source) for source in graph.listed("me/adaccounts", fields=parse.OWNED_FIELDS)]

    def _long_lived(self, token: str) -> Grant:
        found = self._ask({"grant_type": "fb_exchange_token", "fb_exchange_token": token})
        made = _token(found, sent=token)
        facts = self._inspected(made)
        return Grant(made, expires_at=_expiry(found, facts), scopes=_scopes(facts))

    def _ask(self, asked: dict[str, str], **options: Any) -> Row:
        """A token from the app's own endpoint."""
        app = {"client_id": self._app_id, "client_secret": self._app_secret}
        return self._told("oauth/access_token", asked | app, **options)

    def _inspected(self, token: str) -> Row:
        """What Meta says of the token; nothing where it does not say, for the token is good without."""
        asked = {"input_token": token, "access_token": f"{self._app_id}|{self._app_secret}"}
        try:
            return part(self._told("debug_token", asked), "data")
        except ConnectorError:
            return {}

    def _told(self, path: str, params: dict[str, str], **options: Any) -> Row:
        """The answer to the app itself, which shows its secret where Meta's documents want it: in the query."""
        transport = Transport(
            self._base_url,
            platform=Platform.META,
            headers={},
            secrets=(self._app_secret,),
            **(self._options | options),
        )
        found: Row = transport.read("GET", self._root + path, params=params, judge=judge_read)
        return found

    def _graph(self, token: str) -> Graph:
        return Graph(
            base_url=self._base_url,
            version=self._version,
            access_token=token,
            app_secret=self._app_secret,
            **self._options,
        )


def _token(source: Row, *, sent: str = "") -> str:
    """The token of an answer. Meta may give the one `sent` again, which the transport has blotted out."""
    return sent if sent and source.get("access_token") == BLOT else access_token(source, Platform.META)


def _expiry(source: Row, facts: Row) -> datetime | None:
    """When the token ends. Meta leaves `expires_in` out at times; 0 in its facts is a token that does not end."""
    seconds = count(source, "expires_in")
    if seconds:
        return datetime.now(UTC) + timedelta(seconds=min(seconds, LONGEST_LIFE))
    moment = count(facts, "expires_at")
    return datetime.fromtimestamp(min(moment, LARGEST_TIME), UTC) if moment else None


def _scopes(facts: Row) -> tuple[str, ...]:
    told = facts.get("scopes")
    return tuple(scope[:64] for scope in told if isinstance(scope, str)) if isinstance(told, list) else ()
