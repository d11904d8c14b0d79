"""What can go wrong with HubSpot, by what a caller can do about it."""

from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]


class HubSpotError(Exception):
    """What HubSpot, or the way to it, did not do."""


class BadAddress(HubSpotError):
    """An address that the token is not sent to."""


class Unauthorized(HubSpotError):
    """The token is wrong, revoked or expired."""


class MissingScope(HubSpotError):
    """The token may not do this."""


class DailyQuota(HubSpotError):
    """The portal has used up its calls of the day."""


class Unreachable(HubSpotError):
    """No usable answer after all attempts; nothing was written by this call."""


class Unsure(HubSpotError):
    """A write that may or may not have happened: the connection broke, or HubSpot failed, after it was sent."""


class Refused(HubSpotError):
    """HubSpot understood and said no (400, 404, 409 and the like)."""

    def __init__(self, message: str, status: int, category: str = "", errors: Sequence[Json] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.category = category
        self.errors = list(errors)


class PlanError(Exception):
    """What stands in the way of a plan, or of carrying it out."""
