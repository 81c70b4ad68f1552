#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A compressed week of a service: its memory and descriptors do not creep.

An hour of the detector's time is 3 s here, a week 504 s (make soak); make test has the first 7 hours. Each
day the services are deployed again; meanwhile short processes come and go, people ask, programs scrape, a
follower listens and goes away. The history's times are the wall clock's: it is bounded by its size, which
tests/unit/test_history.c tries.
"""

import contextlib
import http.client
import os
import select
import statistics
import tempfile
import time

import seep

HOUR_SECONDS = 3.0
TICKS_PER_HOUR = 60
DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS
SHORT_HOURS = 7
HOURS = WEEK_HOURS if os.environ.get("SOAK_WEEK") else SHORT_HOURS

# The short form cannot tell a creep
# from what is still being learnt, and looks for gross ones only.
MOST_GROWTH = 1.05 if HOURS == WEEK_HOURS else 1.25

LIMIT_BYTES = 64 << 20

LOOKS = 7
LEAST_REST_SECONDS = 0.7  # on a busy machine the work of an hour takes all of it

VIEWS = ("/v1/targets", "/v1/sites?by=stack", "/v1/sites?by=line&sort=growth", "/v1/leaks", "/v1/info",
         "/v1/events", "/v1/snapshots", "/v1/targets?suggested=1")


class Services:
    """What runs all week: one that leaks, one that does not, one that only churns."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.running = []

    def deploy(self):
        self.end()
        for arguments in ((), ("--clean",)):
            w = seep.Workload("service", *arguments, wait=False)
            self.running.append(w)
            self.daemon.track(w.pid, limit_bytes=LIMIT_BYTES)

    def end(self):
        for w in self.running:
            w.__exit__(None, None, None)
        self.running = []


def ask(daemon):
    for view in VIEWS:
        response = daemon.request("GET", view)
        assert response.status in (200, 400), f"{view}: {response.status} {response.body[:300]}"


def follow_a_while(daemon):
    """A follower that goes away in the middle."""
    connection = seep.Connection(daemon.socket, timeout=2)
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/v1/events?follow=1")
        connection.getresponse().read(1)
    connection.close()


def storm(daemon):
    """Short processes under a target that is followed."""
    with seep.Workload("twins", 7, 3) as w:
        daemon.track(w.pid)
        w.go()
        w.end()


def live_an_hour(daemon, hour):
    """Its RSS, in the middle of what is read in the rest of it, and its descriptors, the fewest of it: what
    is open for a moment does not creep, and what creeps stays."""
    sizes, kinds = [], []
    start = time.monotonic()
    storm(daemon)
    ask(daemon)
    if hour % 6 == 0:
        follow_a_while(daemon)
    rest = max(start + HOUR_SECONDS - time.monotonic(), LEAST_REST_SECONDS)
    for _ in range(LOOKS):
        select.select([], [], [], rest / LOOKS)
        sizes.append(seep.rss_bytes(daemon.pid))
        kinds.append(sum(daemon.own_descriptors().values()))
    return statistics.median(sizes), min(kinds)


def test_a_week():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as state:
        tick = f"{HOUR_SECONDS / TICKS_PER_HOUR * 1000:.0f}ms"
        daemon = seep.Daemon("--detector-tick", tick, state_dir=state, check=False)
        services = Services(daemon)
        try:
            hours, kinds = [], []
            for hour in range(HOURS):
                if hour % DAY_HOURS == 0:
                    services.deploy()
                size, kind = live_an_hour(daemon, hour)
                hours.append(size)
                kinds.append(kind)
                if hour in (0, HOURS - 1) or hour % DAY_HOURS == 1:
                    print(f"# hour {hour + 1}: {hours[-1] / 2**20:.1f} MiB, "
                          f"{kinds[-1]} descriptors")
            growth = hours[-1] / hours[0]
            print(f"# RSS of hour {HOURS} is {growth:.3f} of that of hour 1")
            assert growth <= MOST_GROWTH, f"RSS grew to {growth:.3f} of the first hour's"
            assert kinds[-1] <= kinds[0], f"descriptors grew from {kinds[0]} to {kinds[-1]}"
            if HOURS >= DAY_HOURS:
                assert any(l["told"] for l in daemon.leaks()), "the leak was not told"
        finally:
            services.end()
            seep.equal(daemon.stop(), 0, f"exit status of seepd; it says: {daemon.log()}")
            daemon.folder.cleanup()


if __name__ == "__main__":
    seep.main(globals())
