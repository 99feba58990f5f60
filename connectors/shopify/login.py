"""Shopify's OAuth pages and endpoints as a `LoginProvider`, for one shop."""

from __future__ import annotations

from typing import Any

from connectors.contracts import Platform
from connectors.login_contracts import Grant, LoginApp, OwnedAccount


class ShopifyLogin:
    platform = Platform.SHOPIFY

    def __init__(self, app: LoginApp, **transport: Any) -> None:
        raise NotImplementedError

    def consent_url(self, *, redirect_uri: str, state: str) -> str:
        raise NotImplementedError

    def check_callback(self, query: str) -> None:
        raise NotImplementedError

    def exchange(self, code: str, *, redirect_uri: str) -> Grant:
        raise NotImplementedError

    def refresh(self, grant: Grant) -> Grant:
        raise NotImplementedError

    def revoke(self, grant: Grant) -> None:
        raise NotImplementedError

    def owned_accounts(self, grant: Grant) -> list[OwnedAccount]:
        raise NotImplementedError
