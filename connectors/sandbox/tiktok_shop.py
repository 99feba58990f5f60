"""The TikTok Shop face: the Partner API of shops and creators, and its OAuth pages."""

from __future__ import annotations

from connectors.sandbox.answers import Request, Response, answer
from connectors.sandbox.pushes import Pushes
from connectors.sandbox.world import Change, World

PATHS = (
    "/affiliate_creator/",
    "/affiliate_seller/",
    "/alliance/",
    "/analytics/",
    "/api/v2/token/",
    "/authorization/",
    "/event/",
    "/finance/",
    "/open/authorize",
    "/order/",
    "/product/",
    "/return_refund/",
    "/seller/",
)


class Face:
    platform = "tiktok_shop"

    def __init__(self, world: World, pushes: Pushes) -> None:
        self.world, self.pushes = world, pushes

    def respond(self, request: Request) -> Response:
        return answer({"code": 40006, "message": "no schema found", "request_id": ""}, 403)

    def received(self, request: Request) -> list[Change]:
        return []

    def fault(self, kind: str) -> tuple[Response, str]:
        return answer({"code": 36009002, "message": "too many requests", "request_id": ""}, 429), "36009002"
