"""Points in time as the wire writes them: RFC 3339, in UTC, to the nanosecond."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import attrs

__all__ = ["Instant", "read_instant"]

_RFC_3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)
_LEAP_SECOND = 60


@attrs.frozen(order=True)
class Instant:
    """A point in time; a leap second is the 59th with a second's worth of nanoseconds more."""

    second_utc: datetime
    """To the whole second."""
    nanoseconds: int

    def __str__(self) -> str:
        """Return it as the real types print it: as many digits of the fraction as it needs, in threes."""
        is_leap, nanoseconds = divmod(self.nanoseconds, 10**9)
        second = self.second_utc.second + is_leap
        fraction = f".{nanoseconds:09}" if nanoseconds else ""
        while fraction.endswith("000"):
            fraction = fraction[:-3]
        time = self.second_utc
        return f"{time.year:04}-{time.month:02}-{time.day:02}T{time.hour:02}:{time.minute:02}:{second:02}{fraction}Z"


def read_instant(text: str) -> Instant:
    """Return the instant that an RFC 3339 text names.

    Raises:
        ValueError: It is not RFC 3339, or there is no such day or time.
    """
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not RFC 3339: {text[:60]!r}")

    year, month, day, hour, minute, second = (int(match.group(place)) for place in range(1, 7))
    fraction, sign, hours, minutes = match.group(7, 8, 9, 10)
    is_leap = second == _LEAP_SECOND
    local = datetime(year, month, day, hour, minute, second - is_leap, tzinfo=UTC)
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    if int(minutes or 0) > 59 or offset >= timedelta(days=1):
        raise ValueError(f"no such offset: {text[:60]!r}")

    nanoseconds = int((fraction or "0")[:9].ljust(9, "0")) + 10**9 * is_leap
    try:
        return Instant(local - offset if sign == "+" else local + offset, nanoseconds)
    except OverflowError as error:
        raise ValueError(f"out of the range of dates: {text[:60]!r}") from error
