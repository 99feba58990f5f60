"""TikTok Shop's answers as the tests of this folder script them, and clients that ask for them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connectors.tiktok_shop.client import TikTokCreator, TikTokShop
from tests.connectors.wire import Script, Wire, says, wire

KEY, SECRET, TOKEN, CIPHER = "6a1b2c3d4e5f", "s3cr3t_app_secret", "ROW_an-access-token", "ROW_TESTcipher=="
NOW = 1_795_000_000  # 2026-11-18 11:06:40 UTC
SHOPS = "/authorization/202309/shops"
ORDERS = "/order/202309/orders/search"
RETURNS = "/return_refund/202602/returns/search"
SELLER_SALES, CREATOR_SALES = "/affiliate_seller/202410/orders/search", "/affiliate_creator/202410/orders/search"

Answers = Mapping[str, Script | Sequence[Script]]


def client(served: Wire, **options: Any) -> TikTokShop:
    given: dict[str, Any] = {"shop_id": "7", "cipher": CIPHER, "timezone": "", "access_token": TOKEN, "patience": 2.0}
    given |= {"clock": lambda: float(NOW)}
    return TikTokShop(base_url=served.url, app_key=KEY, app_secret=SECRET, **(given | options))


def creator(served: Wire) -> TikTokCreator:
    return TikTokCreator(base_url=served.url, app_key=KEY, app_secret=SECRET, access_token=TOKEN, patience=2.0)


def data(**content: Any) -> Script:
    return says({"code": 0, "message": "Success", "request_id": "r", "data": content})


def error(code: int, message: str = "no", status: int = 200, headers: str = "") -> Script:
    return says({"code": code, "message": message, "request_id": "r", "data": None}, status, headers)


def shop(**changes: Any) -> dict[str, Any]:
    row = {"id": "7", "name": "Tea", "region": "US", "seller_type": "LOCAL", "cipher": CIPHER, "code": "USLC"}
    return row | changes


@contextmanager
def tiktok_shop(answers: Answers) -> Iterator[Wire]:
    """A TikTok Shop that answers by path, each path's answers in turn and the last for ever.

    What is not scripted is one shop in the US, and an answer without data.
    """
    left = {path: list(told) if isinstance(told, Sequence) else [told] for path, told in answers.items()}
    wires: list[Wire] = []

    def answer(connection: socket.socket) -> None:
        path = urlsplit(wires[0].requests[-1].split(" ")[1]).path
        told = left.get(path) or [data(shops=[shop()]) if path == SHOPS else data()]
        (told.pop(0) if len(told) > 1 else told[0])(connection)

    with wire(answer) as served:
        wires.append(served)
        yield served


def verb(request: str) -> str:
    method, target, _ = request.split(" ", 2)
    return f"{method} {urlsplit(target).path}"


def query(request: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.split(" ")[1]).query))


def raw_body(request: str) -> bytes:
    return request.partition("\r\n\r\n")[2].encode("latin-1")


def body(request: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(raw_body(request))
    return found


def sent(served: Wire, path: str) -> list[str]:
    """The requests to that path, in order."""
    return [request for request in served.requests if urlsplit(request.split(" ")[1]).path == path]


def order(number: int = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": str(number), "status": "DELIVERED", "create_time": NOW - 900, "update_time": NOW - 100}
    money = {"currency": "USD", "total_amount": "23.45", "sub_total": "20.00", "shipping_fee": "3.45"}
    told = {"paid_time": NOW - 800, "payment": money, "line_items": [line()], "is_sample_order": False}
    person = {"user_id": "u1", "buyer_email": "p@x.test", "recipient_address": {"name": "Robin", "phone_number": "1"}}
    return row | told | person | {"buyer_message": "ring twice"} | changes


def line(number: int = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": f"l{number}", "product_id": "11", "sku_id": "22", "product_name": "Cup", "original_price": "12.50"}
    row |= {"sale_price": "10.00", "seller_discount": "2.00", "platform_discount": "0.50", "currency": "USD"}
    return row | changes


def money(amount: str, currency: str = "USD") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def seller_sku(**changes: Any) -> dict[str, Any]:
    row = {"sku_id": "22", "settlement_status": "SETTLED", "quantity": 2, "price": money("10.00")}
    row |= {"content_type": "VIDEO", "creator_username": "mia", "commission_rate": "1550"}
    row |= {"estimated_paid_commission": money("$3.10"), "actual_paid_commission": money("$1.55")}
    return row | changes


def creator_sku(**changes: Any) -> dict[str, Any]:
    row = {"id": "22", "quantity": 1, "price": money("10.00"), "content_type": "LIVE", "shop_name": "Tea"}
    row |= {"commission_rate": 1500, "estimated_commission": money("$1.50"), "actual_commission": money("")}
    return row | changes


def returned(number: int = 1, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = {
        "return_id": f"r{number}",
        "order_id": "1",
        "return_status": "RETURN_OR_REFUND_REQUEST_COMPLETE",
    }
    row |= {"create_time": NOW - 900, "update_time": NOW - 100, "return_line_items": [{"sku_id": "22"}]}
    return row | {"refund_amount": {"currency": "USD", "refund_total": "12.30"}} | changes


def product(number: int = 1, **changes: Any) -> dict[str, Any]:
    row = {"id": str(number), "title": "Cup", "status": "ACTIVATE", "create_time": NOW - 900, "update_time": NOW}
    price = {"currency": "USD", "tax_exclusive_price": "12.50"}
    return row | {"skus": [{"id": "22", "seller_sku": "CUP-1", "price": price}]} | changes
