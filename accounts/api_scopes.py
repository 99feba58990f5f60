"""What a partner's key may do."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from accounts.models import ApiKey


class HasScope(BasePermission):
    """A key whose scopes hold what the view asks for the method."""

    def has_permission(self, request: Request, view: Any) -> bool:
        key = request.auth
        wanted = view.scopes.get("GET" if request.method == "HEAD" else request.method)
        self.message = f"this key lacks the scope {wanted!r}"
        return isinstance(key, ApiKey) and (wanted is None or wanted in key.scopes)
