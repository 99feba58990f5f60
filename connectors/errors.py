"""What can go wrong when talking to a platform, classed by what to do next.

ConnectorError
├── ConfigurationError      our request or settings are wrong; nothing was sent or nothing may be repeated
│   └── BelowMinimumError   less than the platform takes; nothing was sent
├── AuthenticationError     the credential is dead: mark the account, ask for a new login
├── PermissionDeniedError   the credential may not do this: alert staff
├── NotFoundError           the object does not exist for this credential
├── RateLimitedError        nothing was applied; come back after `retry_after` seconds
├── TransientError          reads only: try again
├── MalformedReplyError     reads only: a sound answer of a shape we do not know; the API may have changed
├── RefusedError            a write that the platform refused with a documented code: nothing was applied
├── NotSentError            a write that certainly never left this machine
└── OutcomeUnknownError     a write whose fate is unknown: never send it again, decide from evidence
    └── UnverifiedError     a write that the platform accepted, but that could not be read back
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of all connector errors. `code` is the platform's own code, if any. Messages carry no secret."""

    def __init__(self, message: str, *, platform: str = "", code: str = "") -> None:
        super().__init__(message)
        self.platform = platform
        self.code = code


class ConfigurationError(ConnectorError):
    pass


class BelowMinimumError(ConfigurationError):
    pass


class AuthenticationError(ConnectorError):
    pass


class PermissionDeniedError(ConnectorError):
    pass


class NotFoundError(ConnectorError):
    pass


class RateLimitedError(ConnectorError):
    """`retry_after` is in seconds, `None` when the platform does not say."""

    def __init__(self, message: str, *, platform: str = "", code: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, platform=platform, code=code)
        self.retry_after = retry_after


class TransientError(ConnectorError):
    pass


class MalformedReplyError(ConnectorError):
    pass


class RefusedError(ConnectorError):
    pass


class NotSentError(ConnectorError):
    pass


class OutcomeUnknownError(ConnectorError):
    pass


class UnverifiedError(OutcomeUnknownError):
    pass
