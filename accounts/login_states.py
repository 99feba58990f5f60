"""How a credential stands, in one word that lists, pages and alerts agree on."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models

# Tokens are renewed this long before they expire; when as little as `URGENT` is left, people must act.
RENEWED_BEFORE = timedelta(days=10)
URGENT = timedelta(days=2)
# How `Credential.problem` begins when a token could not be renewed, though it still opens the platform.
NOT_RENEWED = "Not renewed: "


class LoginState(models.TextChoices):
    CONNECTED = "connected", "Connected"
    ENDING = "ending", "Ends soon"
    NEEDED = "needed", "Login needed"
    DISCONNECTED = "disconnected", "Disconnected"


def login_state(*, has_token: bool, expires_at: datetime | None, problem: str, now: datetime) -> LoginState:
    if not has_token:
        return LoginState.DISCONNECTED
    if (problem and not problem.startswith(NOT_RENEWED)) or (expires_at and expires_at <= now):
        return LoginState.NEEDED
    return LoginState.ENDING if problem or (expires_at and expires_at <= now + URGENT) else LoginState.CONNECTED
