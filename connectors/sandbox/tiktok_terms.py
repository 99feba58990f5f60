"""What every TikTok endpoint of the sandbox shares: refusals, outcomes, page numbers, how a request is read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from connectors.sandbox.answers import Request, loads
from connectors.sandbox.tenants import Account, AdObject
from connectors.sandbox.world import World

T = TypeVar("T")

STANDARD, SMART_PLUS, GMV_MAX = "standard", "smart_plus", "gmv_max"
PAGE_SIZE, PAGE_SIZE_AT_MOST = 10, 1000
NAME_AT_MOST = 512


class TikTokError(Exception):
    """A refusal: TikTok's `code` and `message`, told in the envelope at HTTP 200."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True)
class Outcome:
    """What goes into the envelope. `data` is an object, or a list for uploads."""

    data: dict[str, Any] | list[Any]
    code: int = 0
    message: str = "OK"


def body_of(request: Request) -> dict[str, Any]:
    """A POST's fields: a JSON object, or the form that carries a file."""
    if request.mimetype == "multipart/form-data":
        return request.form.to_dict()
    body = loads(request.get_data(as_text=True))
    return body if isinstance(body, dict) else {}


def page(
    things: list[T], params: Mapping[str, str], at_most: int = PAGE_SIZE_AT_MOST
) -> tuple[list[T], dict[str, int]]:
    """The page asked for and its `page_info`. Raises TikTokError for a page that cannot be."""
    number, size = params.get("page", "1"), params.get("page_size", str(PAGE_SIZE))
    if not re.fullmatch("[0-9]{1,9}", number) or int(number) < 1:
        raise TikTokError(40002, "page: Must be greater than or equal to 1.")
    if not re.fullmatch("[0-9]{1,4}", size) or not 1 <= int(size) <= at_most:
        raise TikTokError(40002, f"page_size: Must be between 1 and {at_most}.")
    first = (int(number) - 1) * int(size)
    info = {
        "page": int(number),
        "page_size": int(size),
        "total_number": len(things),
        "total_page": -(-len(things) // int(size)),
    }
    return things[first : first + int(size)], info


def listed(params: Mapping[str, str], name: str) -> list[Any] | None:
    """A list that travels as JSON text in the query; None when it is absent."""
    found = loads(params.get(name, "null"))
    if found is not None and not isinstance(found, list):
        raise TikTokError(40002, f"{name}: Not a valid list.")
    return found


def span(params: Mapping[str, Any], at_most: int | None) -> tuple[date, date]:
    """The days of a report, both inclusive, of the advertiser's calendar. Raises TikTokError for too many."""
    try:
        first = date.fromisoformat(str(params.get("start_date", "")))
        last = date.fromisoformat(str(params.get("end_date", "")))
    except ValueError as error:
        raise TikTokError(40002, "start_date, end_date: Not a valid date.") from error
    if first > last:
        raise TikTokError(40002, "start_date is after end_date.")
    if at_most is not None and (last - first).days >= at_most:
        raise TikTokError(40002, f"The time span must be at most {at_most} day(s) with these dimensions.")
    return first, last


def many(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []


def text(body: dict[str, Any], name: str, at_most: int = NAME_AT_MOST) -> str:
    """A text that must be there. Raises TikTokError."""
    given = body.get(name)
    if given is None or given == "":
        raise TikTokError(40002, f"{name}: Missing data for required field.")
    if not isinstance(given, str) or len(given) > at_most:
        raise TikTokError(40002, f"{name}: Not a valid string.")
    return given


def objects(world: World, account: Account, kind: str, *families: str) -> list[AdObject]:
    return [thing for thing in world.account_objects(account.id, kind) if thing.family in families]


def found(world: World, identity: Any, kind: str, families: tuple[str, ...]) -> AdObject | None:
    thing = world.objects.get(str(identity))
    fits = thing is not None and (thing.platform, thing.kind) == ("tiktok", kind) and thing.family in families
    return thing if fits else None


def utc(moment: datetime) -> str:
    """How TikTok writes times of objects, always in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
