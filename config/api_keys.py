"""Partners by their key: who asks, and how often."""

from __future__ import annotations

import time
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.core.cache import cache
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.models import ApiKey
from config.api_settings import REQUESTS_PER_MINUTE

MINUTE = 60


class PartnerKey(BaseAuthentication):
    """`Authorization: Bearer bur_…`, which the middleware has checked already."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        key: ApiKey | None = getattr(request, "api_key", None)
        if key is not None:
            return AnonymousUser(), key
        if "Authorization" in request.headers:
            raise AuthenticationFailed("this key is unknown, expired or revoked")
        return None

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="bursar"'


class PartnerThrottle(BaseThrottle):
    """So many requests of a key per minute of the clock, counted in the shared cache."""

    left = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        if not isinstance(request.auth, ApiKey):
            return True
        minute, passed = divmod(time.time(), MINUTE)
        self.left = MINUTE - passed
        name = f"requests:{request.auth.pk}:{minute:.0f}"
        if cache.add(name, 1, MINUTE):
            return True
        try:
            return bool(cache.incr(name) <= REQUESTS_PER_MINUTE)
        except ValueError:  # the minute ended between the two calls
            return True

    def wait(self) -> float:
        return self.left
