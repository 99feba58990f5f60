"""The platforms' logins: consents, codes and tokens of this world, kept in the journal; expiry is in wall time.

The tokens that `/_control/credentials` hands out are planted: they never expire and may do everything. A login
makes a code, the code once a token. Callers hold the world's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.sandbox.journal import Entry, Journal
from connectors.sandbox.tenants import Account, Shop, secret

SCOPES: dict[str, tuple[str, ...]] = {
    "meta": ("ads_management", "ads_read", "business_management"),
    "tiktok": tuple(str(number) for number in range(1, 16)),  # TikTok numbers its scopes
    "shopify": ("read_customers", "read_orders", "read_products"),
}
CODE_LIVES = {"meta": timedelta(minutes=10), "tiktok": timedelta(hours=1), "shopify": timedelta(minutes=10)}
TOKEN_LIVES: dict[str, timedelta | None] = {"meta": timedelta(hours=2), "tiktok": None, "shopify": None}
RENEWED_LIVES = {"meta": timedelta(seconds=5_183_944)}  # Meta's long-lived token: about 60 days


class LoginError(Exception):
    """A code or token that cannot be used. `reason` is one of `unknown_code`, `used_code`, `expired_code`,
    `other_redirect`, `unknown_token`, `expired_token`, `not_renewable`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason.replace("_", " "))
        self.reason = reason


@dataclass(frozen=True)
class Token:
    text: str = field(repr=False)
    platform: str
    tenant: int
    scopes: tuple[str, ...]
    expires_at: datetime | None  # wall time; None: never

    def is_expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass
class _Code:
    tenant: int
    redirect_uri: str
    scopes: tuple[str, ...]
    ends: datetime
    used: bool = False


class Logins:
    """`wall` tells the time; a test may move it."""

    def __init__(self, seed: int, journal: Journal) -> None:
        self.wall: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._seed, self._journal = seed, journal
        self._tokens: dict[tuple[str, str], Token] = {}
        self._codes: dict[tuple[str, str], _Code] = {}
        self._issued = 0

    def plant(self, accounts: Iterable[Account], shops: Iterable[Shop]) -> None:
        owners = [(a.platform, a.token, a.tenant) for a in accounts] + [("shopify", s.token, s.tenant) for s in shops]
        for platform, text, tenant in owners:
            self._tokens[platform, text] = Token(text, platform, tenant, SCOPES[platform], None)

    def consent(self, platform: str, tenant: int, redirect_uri: str, scopes: Iterable[str]) -> str:
        """A fresh code: the merchant has agreed."""
        text = secret(self._seed, platform, "code", len(self._codes), self.wall().isoformat())
        self._codes[platform, text] = _Code(tenant, redirect_uri, tuple(scopes), self.wall() + CODE_LIVES[platform])
        return text

    def exchange(self, platform: str, code: str, redirect_uri: str | None) -> Token:
        """A token for a code, once. `redirect_uri` must be that of the consent; None: not compared.
        Raises LoginError."""
        found = self._codes.get((platform, code))
        if found is None:
            raise LoginError("unknown_code")
        if found.used:
            raise LoginError("used_code")
        if found.ends <= self.wall():
            raise LoginError("expired_code")
        if redirect_uri not in (None, found.redirect_uri):
            raise LoginError("other_redirect")
        found.used = True
        return self._issue(platform, found.tenant, found.scopes, TOKEN_LIVES[platform])

    def renew(self, platform: str, token_text: str) -> Token:
        """A longer-lived token beside the old one (Meta). Raises LoginError, also where tokens never expire."""
        token = self.find(platform, token_text)
        if token is None:
            raise LoginError("unknown_token")
        if token.is_expired(self.wall()):
            raise LoginError("expired_token")
        if platform not in RENEWED_LIVES:
            raise LoginError("not_renewable")
        return self._issue(platform, token.tenant, token.scopes, RENEWED_LIVES[platform])

    def revoke(self, platform: str, token_text: str) -> bool:
        """End a token at once; whether there was one."""
        found = self.find(platform, token_text) is not None
        if found:
            self._note({"kind": "token_end", "platform": platform, "text": token_text})
        return found

    def find(self, platform: str, token_text: str) -> Token | None:
        """The token, expired or not; None if it is unknown or revoked."""
        return self._tokens.get((platform, token_text))

    def expire(self, token: Token) -> Token:
        """Let it expire now, as time would."""
        return self._keep(replace(token, expires_at=self.wall()))

    def narrow(self, token: Token, scopes: Iterable[str]) -> Token:
        """Leave it these scopes, as a merchant does who takes some back."""
        return self._keep(replace(token, scopes=tuple(scopes)))

    def replay(self, entry: Entry) -> None:
        """Take in what the journal kept (`token`, `token_end`)."""
        key = entry["platform"], entry["text"]
        if entry["kind"] == "token_end":
            self._tokens.pop(key, None)
            return
        ends = entry["expires_at"]
        self._tokens[key] = Token(
            entry["text"],
            entry["platform"],
            entry["tenant"],
            tuple(entry["scopes"]),
            datetime.fromisoformat(ends) if ends is not None else None,
        )
        self._issued = max(self._issued, entry["issued"])

    def _issue(self, platform: str, tenant: int, scopes: tuple[str, ...], lives: timedelta | None) -> Token:
        self._issued += 1
        text = secret(self._seed, tenant, platform, "token", self._issued)
        text = f"EAAB{text}" if platform == "meta" else f"shpat_{text[:32]}" if platform == "shopify" else text[:40]
        return self._keep(Token(text, platform, tenant, scopes, self.wall() + lives if lives is not None else None))

    def _keep(self, token: Token) -> Token:
        ends = token.expires_at.isoformat() if token.expires_at is not None else None
        kept: dict[str, Any] = {"text": token.text, "platform": token.platform, "tenant": token.tenant}
        self._note({"kind": "token", **kept, "scopes": token.scopes, "expires_at": ends, "issued": self._issued})
        return self._tokens[token.platform, token.text]

    def _note(self, entry: Entry) -> None:
        self._journal.append(entry)
        self.replay(entry)
