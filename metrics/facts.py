"""Facts in bulk: rows go into a staging table, and one statement merges what changed.

Tables are filled by COPY on PostgreSQL and by one prepared INSERT on SQLite; the merge is the same. A restated
value is kept as a revision before it is replaced. All of it happens in the caller's transaction, who also keeps
two merges of the same rows apart (by locking what owns them).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from django.db import connection, models

from metrics.models import AdDay, AdDayPurchases, HourlyMetric, HourlyMetricRevision, Reward

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class FactTable:
    """A table with one current row per `key`; names are columns. `stamp` says when a value became known."""

    model: type[models.Model]
    key: tuple[str, ...]
    values: tuple[str, ...]
    stamp: str = "known_at"
    revisions: type[models.Model] | None = None

    @property
    def staged(self) -> tuple[str, ...]:
        """The columns of a row that is handed to `merge`."""
        return self.key + self.values


HOURS = FactTable(
    HourlyMetric,
    ("ad_set_id", "hour"),
    ("spend_micros", "impressions", "clicks", "conversions", "conversion_value_micros", "leads"),
    revisions=HourlyMetricRevision,
)
AD_DAYS = FactTable(AdDay, ("ad_id", "day"), ("spend_micros", "impressions", "clicks", "leads"))
AD_DAY_PURCHASES = FactTable(AdDayPurchases, ("ad_id", "day", "window"), ("count", "value_micros"))
REWARDS = FactTable(
    Reward,
    ("ad_set_id", "hour"),
    (
        "currency",
        "orders",
        "revenue_micros",
        "refunds_micros",
        "spend_micros",
        "cogs_micros",
        "profit_micros",
        "lambda_ppm",
        "reward_micros",
    ),
    stamp="computed_for",
)


@dataclass(frozen=True, slots=True)
class Merged:
    """How many rows were new or changed, and the oldest time (second part of the key) among them."""

    count: int
    oldest: datetime | None


def merge(table: FactTable, rows: Iterable[Row], *, owner: Mapping[str, Any], as_of: datetime) -> Merged:
    """Make the rows the current ones.

    Rows are in the order of `table.staged`, each key once. `owner` are the columns that all rows share
    (`tenant_id` and the like). A row that became known later than `as_of` is left as it is.
    """
    names = _names(table)
    stamp = _prepared(table, table.stamp, as_of)
    with connection.cursor() as cursor:
        _stage(cursor, table, names.staging, rows)
        cursor.execute(
            f"SELECT count(*), count(t.id), min(s.{_quoted(table.key[1])}) FROM {names.news}",  # noqa: S608
            [stamp],
        )
        count, replaced, oldest = cursor.fetchone()
        if replaced and table.revisions is not None:
            _keep_revisions(cursor, table, stamp)
        if count:
            columns = ", ".join(map(_quoted, (*table.staged, *owner, table.stamp)))
            given = ", ".join([*(f"s.{_quoted(name)}" for name in table.staged), *["%s"] * (len(owner) + 1)])
            cursor.execute(
                f"""INSERT INTO {names.facts} ({columns}) SELECT {given} FROM {names.news}
                    ON CONFLICT ({", ".join(map(_quoted, table.key))}) DO UPDATE SET {names.updates}""",  # noqa: S608
                [*(_prepared(table, name, value) for name, value in owner.items()), stamp, stamp],
            )
    return Merged(count, _moment(oldest))


def add(table: FactTable, rows: Sequence[Row], *, owner: Mapping[str, Any], as_of: datetime) -> Merged:
    """As `merge`, for a caller who knows that none of the rows is there: they need not be compared."""
    shared = (*owner.values(), as_of)
    with connection.cursor() as cursor:
        _fill(cursor, table, _names(table).facts, (*table.staged, *owner, table.stamp), ((*r, *shared) for r in rows))
    return Merged(len(rows), _moment(min((row[1] for row in rows), default=None)))


def _keep_revisions(cursor: Any, table: FactTable, stamp: Any) -> None:
    """What is about to be replaced, unless it became known at this very time."""
    assert table.revisions is not None
    names = ("tenant_id", *table.staged, table.stamp)
    columns, kept = ", ".join(map(_quoted, names)), ", ".join(f"t.{_quoted(name)}" for name in names)
    cursor.execute(
        f"""INSERT INTO {_quoted(table.revisions._meta.db_table)} ({columns})
            SELECT {kept} FROM {_names(table).news} AND t.{_quoted(table.stamp)} < %s
            ON CONFLICT DO NOTHING""",  # noqa: S608
        [stamp, stamp],
    )


def hours_as_known(as_of: datetime, **where: Any) -> dict[tuple[UUID, datetime], dict[str, Any]]:
    """Figures by (ad set, hour) as they were known at `as_of`.

    That is the newest value, by `known_at`, of the revisions and the current row. `where` are lookups that both
    tables take, such as `tenant=` and `hour__gte=`.
    """
    newest: dict[tuple[UUID, datetime], dict[str, Any]] = {}
    for model in (HourlyMetricRevision, HourlyMetric):
        rows = model.objects.filter(known_at__lte=as_of, **where).order_by("known_at")
        for row in rows.values(*HOURS.staged, HOURS.stamp).iterator(chunk_size=5000):
            key = row["ad_set_id"], row["hour"]
            if key not in newest or newest[key]["known_at"] <= row["known_at"]:
                newest[key] = row
    return newest


@dataclass(frozen=True, slots=True)
class _Names:
    """The pieces of SQL of one table. `news` joins the staged rows `s` to the facts `t` that they change."""

    facts: str
    staging: str
    news: str
    updates: str


@cache
def _names(table: FactTable) -> _Names:
    other = "IS DISTINCT FROM" if connection.vendor == "postgresql" else "IS NOT"
    facts, staging = (_quoted(prefix + table.model._meta.db_table) for prefix in ("", "staged_"))
    same = " AND ".join(f"t.{name} = s.{name}" for name in map(_quoted, table.key))
    differs = " OR ".join(f"t.{name} {other} s.{name}" for name in map(_quoted, table.values))
    stamp = _quoted(table.stamp)
    return _Names(
        facts=facts,
        staging=staging,
        news=f"""{staging} AS s LEFT JOIN {facts} AS t ON {same}
            WHERE (t.id IS NULL OR (t.{stamp} <= %s AND ({differs})))""",
        updates=", ".join(f"{name} = excluded.{name}" for name in map(_quoted, (*table.values, table.stamp))),
    )


def _stage(cursor: Any, table: FactTable, staging: str, rows: Iterable[Row]) -> None:
    """Fill the session's staging table, made on first use, with these rows alone."""
    kinds = {name: _field(table.model, name).db_type(connection) for name in table.staged}
    columns = ", ".join(f"{_quoted(name)} {kind}" for name, kind in kinds.items())
    cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {staging} ({columns})")
    cursor.execute(f"TRUNCATE {staging}" if connection.vendor == "postgresql" else f"DELETE FROM {staging}")  # noqa: S608
    _fill(cursor, table, staging, table.staged, rows)
    if connection.vendor == "postgresql":
        cursor.execute(f"ANALYZE {staging}")  # else the planner may read all facts to find the few that are staged


def _fill(cursor: Any, table: FactTable, into: str, names: Sequence[str], rows: Iterable[Row]) -> None:
    """Put rows into a table that has these columns of the facts."""
    fields = [_field(table.model, name) for name in names]
    columns = ", ".join(map(_quoted, names))
    if connection.vendor == "postgresql":
        kinds = [str(field.db_type(connection)).partition("(")[0] for field in fields]
        with (
            connection.wrap_database_errors,
            cursor.copy(f"COPY {into} ({columns}) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types([COPY_TYPES.get(kind, kind) for kind in kinds])
            for row in rows:
                copy.write_row(row)
        return
    prepare = [field.get_db_prep_value for field in fields]
    prepared = ([one(value, connection) for one, value in zip(prepare, row, strict=True)] for row in rows)
    marks = ", ".join(["%s"] * len(fields))
    cursor.executemany(f"INSERT INTO {into} ({columns}) VALUES ({marks})", prepared)  # noqa: S608


COPY_TYPES = {"timestamp with time zone": "timestamptz", "bigint": "int8", "integer": "int4"}


def _prepared(table: FactTable, name: str, value: Any) -> Any:
    return _field(table.model, name).get_db_prep_value(value, connection)


def _field(model: type[models.Model], column: str) -> Any:
    """The field of a column; a foreign key's column ends in `_id`."""
    return model._meta.get_field(column.removesuffix("_id"))


def _moment(value: Any) -> datetime | None:
    """An hour, or the UTC start of a day; SQLite tells both as text."""
    if value is None or isinstance(value, datetime):
        return value
    moment = datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)
