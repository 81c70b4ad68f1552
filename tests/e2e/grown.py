# SPDX-License-Identifier: GPL-2.0-or-later
"""What a workload says of its own growth, compared with the rate that seep tells of it."""

import bisect
import datetime
import statistics


def seconds_of(text):
    """Of a time in JSON: since 1970."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Grown:
    """How much had leaked when: [[seconds since 1970, amount], ...], ascending."""

    def __init__(self, points):
        self.times = [t for t, _ in points]
        self.amounts = [a for _, a in points]

    def at(self, time):
        """In between, as if it had leaked evenly from one point to the next. Before the first it is that."""
        n = bisect.bisect(self.times, time)
        if n == 0:
            return self.amounts[0]
        assert n < len(self.times), f"{time} is after the last, {self.times[-1]}"
        begin, end = self.times[n - 1:n + 1]
        share = (time - begin) / (end - begin)
        return self.amounts[n - 1] * (1 - share) + self.amounts[n] * share

    def in_intervals(self, leak):
        """What leaked in each of the intervals that an alert goes by, and how long one is."""
        assert len(leak["bars"]) > 1, f"an alert by {leak['bars']} bars"
        begins = [seconds_of(b["from"]) for b in leak["bars"]]
        width = (begins[-1] - begins[0]) / (len(begins) - 1)
        return [self.at(b + width) - self.at(b) for b in begins], width


def check_rate(leak, grown, margin, amount_bytes=1):
    """The told amount is what leaked in the intervals, the rate is that of all of them, and the quartiles
    are around the middle one; but for the margin. Returns the true rate of an hour."""
    amounts, width = grown.in_intervals(leak)
    total, middle = sum(amounts), statistics.median(amounts) / width * 3600
    rate = total / width / len(amounts) * 3600
    told, low, high = (leak[f"bytes_per_hour{k}"] / amount_bytes for k in ("", "_low", "_high"))
    leaked = leak["leaked_bytes"] / amount_bytes
    print(f"# in {len(amounts)} intervals of {width:.2f} s: {leaked:.6g} told, {total:.6g} in truth; an hour "
          f"{told:.5g} ({low:.5g} to {high:.5g}) told, {rate:.5g} ({middle:.5g}) in truth; margin "
          f"{margin:.0%}", flush=True)
    assert abs(leaked - total) <= margin * total, f"{leaked} told, {total} in truth"
    assert abs(told - rate) <= margin * rate, f"{told} an hour told, {rate} in truth"
    assert low * (1 - margin) <= middle <= high * (1 + margin), \
        f"from {low} to {high} an hour told, {middle} in truth"
    return rate
