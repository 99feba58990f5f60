"""The TikTok for Business API as an `AdPlatform`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterator
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from connectors.contracts import (
    AccountRecord,
    AdRecord,
    AdSetRecord,
    CampaignRecord,
    DeliveryStatus,
    HourRecord,
    Platform,
)
from connectors.errors import (
    ConfigurationError,
    NotFoundError,
    NotSentError,
    RateLimitedError,
    TransientError,
)
from connectors.fields import Row, count, identifier, known, row, rows
from connectors.hours import days_between, in_order, zone_named
from connectors.http import Transport
from connectors.money import micros_to_tiktok
from connectors.pagination import by_number
from connectors.tiktok import parse
from connectors.tiktok.errors import judge_read, judge_write

PRODUCTION_URL = "https://business-api.tiktok.com"
PAGE_SIZE = 1000

ACCOUNT_FIELDS = ["advertiser_id", "name", "currency", "timezone", "display_timezone", "status"]
ALSO_DELETED = {"primary_status": "STATUS_ALL"}
DELETED_TOO = [{"field_name": "adgroup_status", "filter_type": "IN", "filter_value": json.dumps(["STATUS_ALL"])}]


class TikTokAds:
    """One advertiser. Lists and objects in a query travel as JSON text; the token travels in a header."""

    platform = Platform.TIKTOK

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        access_token: str,
        advertiser_id: str,
        stop_file: Path | None = None,
        **transport: Any,
    ) -> None:
        if not re.fullmatch(r"v[0-9]{1,2}\.[0-9]", version):
            raise ConfigurationError("tiktok: the version must be like v1.3", platform=Platform.TIKTOK)
        self._root = f"/open_api/{version}/"
        self._advertiser_id = _digits(advertiser_id)
        self._transport = Transport(
            base_url or PRODUCTION_URL,
            platform=Platform.TIKTOK,
            headers={"Access-Token": access_token},
            secrets=(access_token,),
            stop_file=stop_file,
            **transport,
        )

    def account(self) -> AccountRecord:
        data = self._get("advertiser/info/", advertiser_ids=[self._advertiser_id], fields=ACCOUNT_FIELDS)
        for source in rows(data.get("list"), "list"):
            if identifier(source, "advertiser_id") == self._advertiser_id:
                return parse.account(source)
        raise NotFoundError("tiktok: no such advertiser for this token", platform=Platform.TIKTOK)

    def campaigns(self) -> Iterator[CampaignRecord]:
        yield from map(parse.campaign, self._tree("campaign/get/", "campaign_id"))

    def ad_sets(self) -> Iterator[AdSetRecord]:
        yield from map(parse.ad_set, self._tree("adgroup/get/", "adgroup_id"))

    def ads(self) -> Iterator[AdRecord]:
        yield from map(parse.ad, self._tree("ad/get/", "ad_id"))

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        """Hourly figures by ad group, one report a day: TikTok refuses hours over more than one."""
        zone = zone_named(self._facts.timezone)
        for day in days_between(first_day, last_day):
            records = (parse.hour(source, zone) for source in self._report(day))
            yield from in_order(record for record in records if record is not None)

    def read_ad_set(self, external_id: str) -> AdSetRecord:
        filtering = {"adgroup_ids": [_digits(external_id)], **ALSO_DELETED}
        data = self._get("adgroup/get/", advertiser_id=self._advertiser_id, filtering=filtering)
        for source in rows(data.get("list"), "list"):
            if identifier(source, "adgroup_id") == external_id:
                return parse.ad_set(source)
        raise NotFoundError("tiktok: no such ad group for this advertiser", platform=Platform.TIKTOK)

    def set_daily_budget(self, external_id: str, budget_micros: int) -> None:
        try:
            currency = self._facts.currency
        except (TransientError, RateLimitedError) as error:
            raise NotSentError(f"tiktok: nothing was sent: {error}", platform=Platform.TIKTOK) from error
        # A float of at most fifteen digits is written to JSON with exactly those digits.
        budget = float(micros_to_tiktok(budget_micros, currency))
        self._write("adgroup/update/", adgroup_id=_digits(external_id), budget=budget)

    def set_status(self, external_id: str, status: DeliveryStatus) -> None:
        if status not in parse.STATUS_WORDS:
            raise ConfigurationError(f"tiktok: {status} is not a status to set", platform=Platform.TIKTOK)
        word = parse.STATUS_WORDS[status]
        self._write("adgroup/status/update/", adgroup_ids=[_digits(external_id)], operation_status=word)

    @cached_property
    def _facts(self) -> AccountRecord:
        """Currency and zone, which an advertiser keeps for life."""
        return self.account()

    def _write(self, path: str, **change: Any) -> None:
        body = {"advertiser_id": self._advertiser_id, **change}
        self._transport.write(self._root + path, json=body, judge=judge_write)

    def _tree(self, path: str, key: str) -> list[Row]:
        return self._listed(path, lambda source: identifier(source, key), filtering=ALSO_DELETED)

    def _report(self, day: date) -> list[Row]:
        return self._listed(
            "report/integrated/get/",
            parse.hour_key,
            service_type="AUCTION",
            report_type="BASIC",
            data_level="AUCTION_ADGROUP",
            dimensions=["adgroup_id", "stat_time_hour"],
            metrics=list(parse.METRICS),
            start_date=day.isoformat(),
            end_date=day.isoformat(),
            filtering=DELETED_TOO,
        )

    def _listed(self, path: str, key: Callable[[Row], Hashable], **params: Any) -> list[Row]:
        def fetch(number: int) -> tuple[list[Row], int, int]:
            data = self._get(path, advertiser_id=self._advertiser_id, page=number, page_size=PAGE_SIZE, **params)
            info = row(data.get("page_info"), "page_info")
            pages = known(count(info, "total_page"), "total_page")
            total = known(count(info, "total_number"), "total_number")
            return rows(data.get("list"), "list"), pages, total

        return by_number(fetch, key)

    def _get(self, path: str, **params: Any) -> dict[str, Any]:
        query = {name: v if isinstance(v, str) else json.dumps(v) for name, v in params.items()}
        data: dict[str, Any] = self._transport.read("GET", self._root + path, params=query, judge=judge_read)
        return data


def _digits(external_id: str) -> str:
    if not re.fullmatch(r"[0-9]{1,32}", external_id):
        raise ConfigurationError("tiktok: an id is a row of digits", platform=Platform.TIKTOK)
    return external_id
