"""The doors through which platforms push: bounded, without session or CSRF token, and answered at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from connectors import webhooks
from connectors.webhooks import LARGEST, NotTakenError

Receive = Callable[[Mapping[str, str], bytes], None]


@csrf_exempt
@require_POST
def shopify(request: HttpRequest) -> HttpResponse:
    return _answer(request, webhooks.receive_shopify)


@csrf_exempt
@require_POST
def tiktok_shop(request: HttpRequest) -> HttpResponse:
    return _answer(request, webhooks.receive_tiktok_shop)


def _answer(request: HttpRequest, receive: Receive) -> HttpResponse:
    try:
        if request.content_type != "application/json":
            raise NotTakenError(415, "only application/json is taken")
        receive(request.headers, _body(request))
    except NotTakenError as refusal:
        return HttpResponse(f"{refusal}\n", status=refusal.status, content_type="text/plain")
    return HttpResponse(status=200)


def _body(request: HttpRequest) -> bytes:
    """The body, of which no more is read than may be taken.

    A chunked one says no length: where the server marks its end it is read from there, for Django reads nothing.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length[:20]) > LARGEST:
        raise NotTakenError(413, f"more than {LARGEST} bytes")
    is_chunked = not length and request.META.get("wsgi.input_terminated")
    source = request.META["wsgi.input"] if is_chunked else request
    try:
        body: bytes = source.read(LARGEST + 1)
    except Exception:  # each server has its own for a body that breaks off or is no sound chunks
        raise NotTakenError(400, "the body could not be read") from None
    if len(body) > LARGEST:
        raise NotTakenError(413, f"more than {LARGEST} bytes")
    return body
