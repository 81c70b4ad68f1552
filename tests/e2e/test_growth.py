#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A leak in a server is found among what churns and what is cached; growth is measured."""

import subprocess
import time

import seep

SECONDS = 9
RATE = 503
ROUND = 31  # entries that grow_then_plateau replaces without a pause


def test_leaky_server():
    with seep.Daemon() as daemon, seep.Workload("leaky_server", wait=False) as server:
        port = server.read_line().split()[1]
        key = daemon.track(server.pid)
        begin = time.monotonic()
        subprocess.run([seep.workload_path("leaky_server"), "--drive", port, str(RATE),
                        str(SECONDS)], check=True, stdout=subprocess.DEVNULL, timeout=120,
                       preexec_fn=seep.die_with_parent)
        took = time.monotonic() - begin
        logins = RATE * SECONDS
        seep.wait_equal(lambda: live(daemon, key, "remember_session"), 2 * logins,
                        "a record and a name of each login are live")
        for function in ("handle_search", "handle_upload"):
            seep.wait_equal(lambda f=function: live(daemon, key, f), 0, f"blocks of {function}")
        assert 0 < live(daemon, key, "fill_cache") <= 256, "the cache is bounded"
        sites = daemon.sites(key, by="function", sort="growth")
        seep.equal(sites[0]["frames"][0]["function"], "remember_session", "what grows most")
        trend = sites[0]["trend"]
        # Before and after it did not grow.
        least, most = (sites[0]["live_bytes"] / seconds * 3600
                       for seconds in (time.monotonic() - begin, took))
        assert 0.5 * least < trend["bytes_per_hour"] < 1.5 * most, \
            f"{trend['bytes_per_hour']} bytes per hour, not about {least} to {most}"
        lines = daemon.sites(key, by="line", sort="growth")
        frame = lines[0]["frames"][0]
        assert frame["file"].endswith("leaky_server.c") and frame["line"], f"its line: {frame}"
        with open(frame["file"], encoding="utf-8") as f:
            text = f.read().splitlines()[frame["line"] - 1]
        assert "malloc(sizeof(*session))" in text, f"line {frame['line']} is {text!r}"
        listing = daemon.seepctl("sites", str(server.pid), "--by", "line", "--sort", "growth",
                                 "--limit", "1")
        assert "remember_session" in listing.out, f"seepctl sites: {listing}"


def live(daemon, key, function):
    for site in daemon.sites(key):
        if site["frames"] and site["frames"][0]["function"] == function:
            return site["live_count"]
    return None


def test_plateau():
    """A cache that is full has live blocks, but none too many."""
    n = 1009
    with seep.Daemon() as daemon, \
            seep.Workload("grow_then_plateau", n, wait=False) as workload:
        key = daemon.track(workload.pid)
        seep.wait_until(lambda: (daemon.target(key)["coverage"]["allocations_seen"] > 3 * n),
                        "it goes round and round")
        # What was allocated before the attach is not known, and what replaced it is. An entry
        # is allocated before the old one is freed, and the figures are read meanwhile.
        assert live(daemon, key, "fill_entry") <= n + ROUND, "live blocks"
        seep.wait_equal(lambda: live(daemon, key, "fill_entry"), n, "a full cache")


if __name__ == "__main__":
    seep.main(globals())
