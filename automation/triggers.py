"""Database triggers that hold what Python must not be trusted with: the log is append-only, and an action's
state makes only the moves of `automation.states`. The same rules on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import Any

from automation.states import MOVES

LOG = "automation_logentry"
ACTION = "automation_action"


def _moves_sql() -> str:
    pairs = [
        f"(OLD.state = '{start}' AND NEW.state = '{end}')" for start, ends in MOVES.items() for end in sorted(ends)
    ]
    return " OR ".join(pairs)


def _sqlite() -> list[str]:
    refuse = "BEGIN SELECT RAISE(ABORT, 'the action log is append-only'); END"
    return [
        f"CREATE TRIGGER log_no_update BEFORE UPDATE ON {LOG} {refuse}",
        f"CREATE TRIGGER log_no_delete BEFORE DELETE ON {LOG} {refuse}",
        f"CREATE TRIGGER action_moves BEFORE UPDATE OF state ON {ACTION} "
        f"WHEN OLD.state <> NEW.state AND NOT ({_moves_sql()}) "
        "BEGIN SELECT RAISE(ABORT, 'illegal move of an action'); END",
    ]


def _refusal(function: str, message: str) -> str:
    return (
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"RAISE EXCEPTION '{message}' USING ERRCODE = 'integrity_constraint_violation'; END $$"
    )


def _postgresql() -> list[str]:
    return [
        _refusal("refuse_log_change", "the action log is append-only"),
        f"CREATE TRIGGER log_no_change BEFORE UPDATE OR DELETE ON {LOG} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_log_change()",
        f"CREATE TRIGGER log_no_truncate BEFORE TRUNCATE ON {LOG} EXECUTE FUNCTION refuse_log_change()",
        _refusal("refuse_illegal_move", "illegal move of an action"),
        f"CREATE TRIGGER action_moves BEFORE UPDATE OF state ON {ACTION} FOR EACH ROW "
        f"WHEN (OLD.state <> NEW.state AND NOT ({_moves_sql()})) EXECUTE FUNCTION refuse_illegal_move()",
    ]


_DROP = {
    "sqlite": ["DROP TRIGGER log_no_update", "DROP TRIGGER log_no_delete", "DROP TRIGGER action_moves"],
    "postgresql": [
        f"DROP TRIGGER log_no_change ON {LOG}",
        f"DROP TRIGGER log_no_truncate ON {LOG}",
        f"DROP TRIGGER action_moves ON {ACTION}",
        "DROP FUNCTION refuse_log_change()",
        "DROP FUNCTION refuse_illegal_move()",
    ],
}


def create(apps: Any, schema_editor: Any) -> None:
    for sql in {"sqlite": _sqlite, "postgresql": _postgresql}[schema_editor.connection.vendor]():
        schema_editor.execute(sql, params=None)


def drop(apps: Any, schema_editor: Any) -> None:
    for sql in _DROP[schema_editor.connection.vendor]:
        schema_editor.execute(sql, params=None)
