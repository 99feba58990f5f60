"""Every request runs in the tenant scope of whoever asks: a member's tenants, or a key's one tenant."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.api_keys import authenticate
from accounts.permissions import memberships_of
from accounts.scoping import all_tenants, tenant_scope, tenants_scope

API_PREFIX = "/api/"
GetResponse = Callable[[HttpRequest], HttpResponse]


def tenant_scope_of_request(get_response: GetResponse) -> GetResponse:
    def respond(request: HttpRequest) -> HttpResponse:
        if request.path.startswith(API_PREFIX):
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            request.api_key = key = authenticate(token) if scheme.lower() == "bearer" else None  # type: ignore[attr-defined]
            scope = tenant_scope(key.tenant_id) if key else tenants_scope([])
        elif request.user.is_authenticated:
            is_superuser = request.user.is_active and request.user.is_superuser
            ids = [] if is_superuser else [row.tenant_id for row in memberships_of(request.user)]
            scope = all_tenants() if is_superuser else tenants_scope(ids)
        else:
            scope = tenants_scope([])
        with scope:
            return get_response(request)

    return respond
