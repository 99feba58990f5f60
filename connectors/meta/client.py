"""The Meta Marketing API as an `AdPlatform`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from connectors.contracts import (
    AccountRecord,
    AdDayRecord,
    AdRecord,
    AdSetRecord,
    Bid,
    CampaignRecord,
    CreativeRecord,
    DeliveryStatus,
    Held,
    HourRecord,
    Level,
    Platform,
    Target,
)
from connectors.errors import (
    BelowMinimumError,
    ConfigurationError,
    NotFoundError,
)
from connectors.fields import Row, identifier, malformed
from connectors.hours import months_before, spans, zone_named
from connectors.meta import batch, bids, insights, jobs, parse
from connectors.meta.errors import TooMuchDataError, judge_write
from connectors.meta.graph import Graph, digits
from connectors.money import micros_to_meta
from connectors.pace import Pace
from connectors.writing import nothing_sent, reading_back

DAYS_PER_REPORT = 7  # more than these are asked for as an asynchronous report
DAYS_PER_JOB = 31
HOURLY_MONTHS = 13  # how far back an hourly breakdown reaches, since 2026-01-12
DAILY_MONTHS = 37

T = TypeVar("T")
Reading = Callable[[Iterable[Row], date, date], list[T]]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class MetaAds:
    """One ad account. `pause` is how one waits for a report, `now` the clock that limits of age go by.

    A sandbox, reached over plain HTTP, has a clock of its own and keeps its limits itself.
    """

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
        pace: Pace | None = None,
        pause: jobs.Pause = time.sleep,
        now: Callable[[], datetime] | None = None,
        **transport: Any,
    ) -> None:
        self._number = digits(account_id.removeprefix("act_"))
        self._edge = f"act_{self._number}"
        self._graph = Graph(
            base_url=base_url,
            version=version,
            access_token=access_token,
            app_secret=app_secret,
            stop_file=stop_file,
            pace=pace,
            **transport,
        )
        self._transport = self._graph.transport
        self._pause = pause
        self._now = now or (None if base_url.startswith("http://") else _utc_now)

    def account(self) -> AccountRecord:
        return parse.account(self._graph.get_now(self._edge, fields=parse.ACCOUNT_FIELDS))

    def campaigns(self) -> Iterator[CampaignRecord]:
        currency = self._facts.currency
        for source in self._listed("campaigns", Level.CAMPAIGN):
            yield parse.campaign(source, currency)

    def ad_sets(self) -> Iterator[AdSetRecord]:
        currency = self._facts.currency
        for source in self._listed("adsets", Level.AD_SET):
            yield parse.ad_set(source, currency)

    def ads(self) -> Iterator[AdRecord]:
        return map(parse.ad, self._listed("ads", Level.AD))

    def creatives(self) -> Iterator[CreativeRecord]:
        found = self._graph.listed(f"{self._edge}/adcreatives", fields=parse.CREATIVE_FIELDS)
        return map(parse.creative, found)

    def hours(self, first_day: date, last_day: date) -> Iterator[HourRecord]:
        """Hourly figures by ad set, at most 13 months back; `conversions` are always unknown here (NOTES.md)."""
        for first, last in self._spans(first_day, last_day, DAYS_PER_REPORT, HOURLY_MONTHS):
            read = partial(insights.hours, zone=zone_named(self._facts.timezone))
            yield from self._figures(first, last, insights.HOURS, read)

    def ad_days(self, first_day: date, last_day: date) -> Iterator[AdDayRecord]:
        """Daily figures by ad, at most 37 months back; long ranges come from asynchronous reports."""
        for first, last in self._spans(first_day, last_day, DAYS_PER_JOB, DAILY_MONTHS):
            yield from self._figures(first, last, insights.AD_DAYS, insights.ad_days)

    def read(self, target: Target) -> Held:
        source = self._graph.get_now(digits(target.external_id), fields=parse.FIELDS[target.level])
        return self._held(target, source)

    def read_many(self, targets: Sequence[Target]) -> list[Held]:
        """The objects in one round trip for fifty; those that do not exist for this account are left out."""
        found = batch.read(self._graph, [self._question(target) for target in targets], pause=self._pause)
        held = []
        for target, source in zip(targets, found, strict=True):
            if source is not None and self._is_own(source):
                held.append(self._held(target, source))
        return held

    def guard_writes(self, may_write: Callable[[], bool]) -> None:
        self._transport.may_write = may_write

    def set_daily_budget(self, target: Target, budget_micros: int) -> Held:
        return self._written(target, {"daily_budget": self._budget(target, budget_micros)})

    def set_lifetime_budget(self, target: Target, budget_micros: int) -> Held:
        return self._written(target, {"lifetime_budget": self._budget(target, budget_micros)})

    def set_status(self, target: Target, status: DeliveryStatus) -> Held:
        if status not in parse.STATUS_WORDS:
            raise ConfigurationError(f"meta: {status} is not a status to set", platform=Platform.META)
        return self._written(target, {"status": parse.STATUS_WORDS[status]})

    def set_bid(self, target: Target, bid: Bid) -> Held:
        return self._written(target, bids.change(target.level, bid, self._known_before_writing().currency))

    def set_target_roi(self, target: Target, roas_ppm: int) -> Held:
        raise ConfigurationError("meta: a target ROI is set as a bid of minimum ROAS", platform=Platform.META)

    @cached_property
    def _facts(self) -> AccountRecord:
        """Currency and zone, which an account keeps for life, and its floor."""
        return self.account()

    def _known_before_writing(self) -> AccountRecord:
        with nothing_sent(Platform.META):
            return self._facts

    def _budget(self, target: Target, micros: int) -> str:
        """The budget as it is sent; refused here where Meta could not hold it or would find it too small."""
        if target.level is Level.AD:
            raise ConfigurationError("meta: an ad has no budget", platform=Platform.META)
        facts = self._known_before_writing()
        sub_units, floor = micros_to_meta(micros, facts.currency), facts.minimum_daily_budget_micros
        if floor is not None and micros < floor:
            message = f"meta: {micros} micros are less than the least budget of the account, {floor}"
            raise BelowMinimumError(message, platform=Platform.META)
        return str(sub_units)

    def _written(self, target: Target, change: dict[str, str]) -> Held:
        """Send the change, once, and tell what Meta holds then."""
        path = self._graph.root + digits(target.external_id)
        self._transport.write(path, data=change | self._graph.proof, judge=judge_write)
        with reading_back(Platform.META):
            return self.read(target)

    def _question(self, target: Target) -> str:
        return f"{digits(target.external_id)}?fields={parse.FIELDS[target.level]}"

    def _is_own(self, source: Row) -> bool:
        return identifier(source, "account_id") == self._number

    def _held(self, target: Target, source: Row) -> Held:
        if not self._is_own(source):
            raise NotFoundError("meta: that object belongs to another account", platform=Platform.META)
        if identifier(source, "id") != target.external_id:
            raise malformed("id", source["id"])
        currency = "" if target.level is Level.AD else self._facts.currency
        return parse.RECORDS[target.level](source, currency)

    def _listed(self, edge: str, level: Level) -> Iterator[Row]:
        return self._graph.listed(f"{self._edge}/{edge}", fields=parse.FIELDS[level])

    def _spans(self, first_day: date, last_day: date, days: int, months: int) -> Iterator[tuple[date, date]]:
        """The days in spans of at most `days`; refused when Meta keeps nothing of the first any more."""
        if first_day <= last_day and self._now is not None:
            today = self._now().astimezone(zone_named(self._facts.timezone)).date()
            oldest = months_before(today, months)
            if first_day < oldest:
                message = f"meta: these figures reach {months} months back, to {oldest}, not to {first_day}"
                raise ConfigurationError(message, platform=Platform.META)
        return spans(first_day, last_day, days)

    def _figures(self, first: date, last: date, query: insights.Query, read: Reading[T]) -> list[T]:
        """What `read` makes of a report: of halves when the span is too much, of a job when a day is."""
        is_long = (last - first).days >= DAYS_PER_REPORT
        try:
            return read(self._report(first, last, query, is_job=is_long), first, last)
        except TooMuchDataError:
            if first == last:
                return read(self._report(first, last, query, is_job=True), first, last)
        middle = first + (last - first) // 2
        earlier = self._figures(first, middle, query, read)
        return earlier + self._figures(middle + timedelta(days=1), last, query, read)

    def _report(self, first: date, last: date, query: insights.Query, *, is_job: bool) -> Iterator[Row]:
        edge, span = f"{self._edge}/insights", {"since": first.isoformat(), "until": last.isoformat()}
        params = {**query.params, "time_range": json.dumps(span)}
        if is_job:
            params["fields"] = json.dumps(query.fields)
            return jobs.report(self._graph, edge, params, page_size=query.page_size, pause=self._pause)
        return self._graph.listed(edge, page_size=query.page_size, fields=",".join(query.fields), **params)
