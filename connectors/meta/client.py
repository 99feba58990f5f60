"""The Meta Marketing API as an `AdPlatform`."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
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
from connectors.fields import Row, malformed, part, rows, text
from connectors.hours import days_between, in_order, zone_named
from connectors.http import Transport
from connectors.meta import parse
from connectors.meta.errors import TooMuchDataError, judge_read, judge_write
from connectors.money import micros_to_meta
from connectors.pagination import by_cursor

PRODUCTION_URL = "https://graph.facebook.com"
PAGE_SIZE = 500
DAYS_PER_REPORT = 7
LONGEST_CURSOR = 4_000

ACCOUNT_FIELDS = "id,name,currency,timezone_name,account_status,min_daily_budget"
CAMPAIGN_FIELDS = "id,name,status,configured_status,effective_status,objective,daily_budget,lifetime_budget"
AD_SET_FIELDS = (
    "id,account_id,campaign_id,name,status,configured_status,effective_status,"
    "daily_budget,lifetime_budget,learning_stage_info"
)
AD_FIELDS = "id,adset_id,name,status,configured_status,effective_status"
HOUR_FIELDS = "adset_id,spend,impressions,clicks"


class MetaAds:
    """One ad account. The token travels in a header; `app_secret` adds the proof that Meta can demand."""

    platform = Platform.META

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        access_token: str,
        account_id: str,
        app_secret: str | None = None,
        stop_file: Path | None = None,
        **transport: Any,
    ) -> None:
        if not re.fullmatch(r"v[0-9]{1,3}\.[0-9]", version):
            raise ConfigurationError("meta: the version must be like v26.0", platform=Platform.META)
        self._root = f"/{version}/"
        self._account_id = "act_" + _digits(account_id.removeprefix("act_"))
        self._proof = {"appsecret_proof": appsecret_proof(access_token, app_secret)} if app_secret else {}
        self._transport = Transport(
            base_url or PRODUCTION_URL,
            platform=Platform.META,
            headers={"Authorization": f"Bearer {access_token}"},
            secrets=(access_token, app_secret or "", *self._proof.values()),
            stop_file=stop_file,
            **transport,
        )

    def account(self) -> AccountRecord:
        return parse.account(self._get(self._account_id, fields=ACCOUNT_FIELDS))

    def campaigns(self) -> Iterator[CampaignRecord]:
        currency = self._facts.currency
        for source in self._listed("campaigns", fields=CAMPAIGN_FIELDS):
            yield parse.campaign(source, currency)

    def ad_sets(self) -> Iterator[AdSetRecord]:
        currency = self._facts.currency
        for source in self._listed("adsets", fields=AD_SET_FIELDS):
            yield parse.ad_set(source, currency)

    def ads(self) -> Iterator[AdRecord]:
        return map(parse.ad, self._listed("ads", fields=AD_FIELDS))

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        """Hourly figures by ad set; `conversions` are always unknown here (NOTES.md)."""
        days = list(days_between(first_day, last_day))
        for start in range(0, len(days), DAYS_PER_REPORT):
            span = days[start : start + DAYS_PER_REPORT]
            yield from self._hours_of(span[0], span[-1])

    def read_ad_set(self, external_id: str) -> AdSetRecord:
        source = self._get(_digits(external_id), fields=AD_SET_FIELDS)
        if source.get("account_id") not in (None, self._account_id.removeprefix("act_")):
            raise NotFoundError("meta: that ad set belongs to another account", platform=Platform.META)
        return parse.ad_set(source, self._facts.currency)

    def set_daily_budget(self, external_id: str, budget_micros: int) -> None:
        try:
            currency = self._facts.currency
        except (TransientError, RateLimitedError) as error:
            raise NotSentError(f"meta: nothing was sent: {error}", platform=Platform.META) from error
        self._write(external_id, {"daily_budget": str(micros_to_meta(budget_micros, currency))})

    def set_status(self, external_id: str, status: DeliveryStatus) -> None:
        if status not in parse.STATUS_WORDS:
            raise ConfigurationError(f"meta: {status} is not a status to set", platform=Platform.META)
        self._write(external_id, {"status": parse.STATUS_WORDS[status]})

    @cached_property
    def _facts(self) -> AccountRecord:
        """Currency and zone, which an account keeps for life."""
        return self.account()

    def _write(self, external_id: str, change: dict[str, str]) -> None:
        path = self._root + _digits(external_id)
        self._transport.write(path, data=change | self._proof, judge=judge_write)

    def _hours_of(self, first_day: date, last_day: date) -> list[HourRecord]:
        zone = zone_named(self._facts.timezone)
        try:
            found = list(self._insights(first_day, last_day))
        except TooMuchDataError:
            if first_day == last_day:
                raise
            middle = first_day + (last_day - first_day) // 2
            return self._hours_of(first_day, middle) + self._hours_of(middle + timedelta(days=1), last_day)
        _refuse_repeats(found)
        records = (parse.hour(source, zone) for source in found)
        return in_order(record for record in records if record is not None)

    def _insights(self, first_day: date, last_day: date) -> Iterator[Row]:
        return self._listed(
            "insights",
            fields=HOUR_FIELDS,
            level="adset",
            time_increment="1",
            time_range=json.dumps({"since": first_day.isoformat(), "until": last_day.isoformat()}),
            breakdowns=json.dumps([parse.HOURLY]),
        )

    def _listed(self, edge: str, **params: str) -> Iterator[Row]:
        def fetch(cursor: str | None) -> tuple[list[Row], str | None]:
            after = {"after": cursor} if cursor else {}
            page = self._get(f"{self._account_id}/{edge}", limit=str(PAGE_SIZE), **params, **after)
            return rows(page.get("data"), "data"), _next_cursor(page)

        return by_cursor(fetch)

    def _get(self, path: str, **params: str) -> dict[str, Any]:
        document: dict[str, Any] = self._transport.read(
            "GET", self._root + path, params=params | self._proof, judge=judge_read
        )
        return document


def appsecret_proof(access_token: str, app_secret: str) -> str:
    """Lowercase hex HMAC-SHA256 of the token under the app's secret (facebook-business session.py)."""
    return hmac.new(app_secret.encode(), access_token.encode(), hashlib.sha256).hexdigest()


def _next_cursor(page: Row) -> str | None:
    """The cursor of the next page; the end is the absence of `next`, not a short page."""
    paging = part(page, "paging")
    if not paging.get("next"):
        return None
    after = text(part(paging, "cursors"), "after", LONGEST_CURSOR)
    if not after:
        raise malformed("paging", paging)
    return after


def _refuse_repeats(found: list[Row]) -> None:
    labels = [(r.get("adset_id"), r.get("date_start"), r.get(parse.HOURLY)) for r in found if parse.HOURLY in r]
    if len(set(labels)) < len(labels):
        raise malformed(parse.HOURLY, "the same hour twice")


def _digits(external_id: str) -> str:
    if not re.fullmatch(r"[0-9]{1,32}", external_id):
        raise ConfigurationError("meta: an id is a row of digits", platform=Platform.META)
    return external_id
