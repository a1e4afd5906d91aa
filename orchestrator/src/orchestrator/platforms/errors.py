"""What a platform can answer that ends a fetch; each message is a sentence the player can act on.

    PlatformError
    ├── UnknownPlayer          no such player there
    ├── AccountClosed          the account is closed, its games are not to be had
    ├── BadToken               lichess does not accept the token
    ├── PlatformRefused        the platform answers, and says no for another reason
    └── PlatformUnavailable    it did not give what was asked for, however often; later it may

None of them ever carries a token or a part of an answer's body beyond the platform's own short message.
"""

from __future__ import annotations

from servicekit.errors import FailedPrecondition, NotFound, RookifyError, Unavailable


class PlatformError(RookifyError):
    """The root, so that a runner can tell a platform's trouble from its own."""


class UnknownPlayer(PlatformError, NotFound):
    default_reason = "UNKNOWN_PLAYER"


class AccountClosed(PlatformError, FailedPrecondition):
    default_reason = "ACCOUNT_CLOSED"


class BadToken(PlatformError, FailedPrecondition):
    default_reason = "BAD_PLATFORM_TOKEN"


class PlatformRefused(PlatformError, FailedPrecondition):
    default_reason = "PLATFORM_REFUSED"


class PlatformUnavailable(PlatformError, Unavailable):
    """Retries are used up, or the platform asked for a longer pause than a job may wait.

    `metadata["what"]` names what could not be had, in the words of the message: "the games of 2022-03".
    """

    default_reason = "PLATFORM_UNAVAILABLE"
