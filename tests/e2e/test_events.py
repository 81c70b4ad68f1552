#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Followers of events: they come and go, and their streams end as they should."""

import subprocess
import threading

import seep


def follow(daemon, headers=None):
    """The open answer to a follower; None: there are too many."""
    connection = seep.Connection(daemon.socket)
    connection.request("GET", "/v1/events?follow=1", headers=headers or {})
    response = connection.getresponse()
    if response.status != 503:
        seep.equal(response.status, 200, "status")
        return response
    response.close()
    return None


def test_nothing_yet():
    with seep.Daemon() as daemon:
        seep.equal(daemon.get("/v1/leaks"),
                   {"leaks": [], "total": 0, "limit": 100, "open": 0, "lost": 0}, "leaks")
        response = daemon.request("GET", "/v1/events")
        seep.equal((response.status, response.body), (200, b""), "events")
        result = daemon.seepctl("leaks")
        seep.equal(result.status, 0, f"leaks: {result}")
        assert "No leak is open." in result.out, f"leaks: {result}"
        result = daemon.seepctl("check")
        seep.equal(result.status, 0, f"check: {result}")
        assert result.out.startswith("SEEP OK - nothing leaks | "), f"check: {result}"
        result = daemon.seepctl("events", "--json")
        seep.equal((result.status, result.out), (0, ""), f"events: {result}")


def test_followers_come_and_go():
    """They leave neither descriptors nor memory behind: the daemon's end checks that."""
    with seep.Daemon() as daemon:
        for i in range(97):
            for _ in range(i % 7):
                # Those that have closed may not have been noticed yet.
                stream = seep.wait_until(
                    lambda i=i: follow(daemon, {"Accept": "text/event-stream"} if i % 2 else {}),
                    "one more may follow")
                stream.close()
        streams = []

        def sixteen():
            while len(streams) < 16:
                stream = follow(daemon)
                if not stream:
                    return False
                streams.append(stream)
            return True
        seep.wait_until(sixteen, "sixteen follow")
        response = daemon.request("GET", "/v1/events?follow=1")
        seep.equal((response.status, response.code), (503, "too_many_followers"), "one more")
        for stream in streams:
            stream.close()


def test_streams_end_with_the_daemon():
    with seep.Daemon() as daemon:
        lines = follow(daemon)
        events = follow(daemon, {"Accept": "text/event-stream"})
        client = subprocess.Popen([seep.SEEPCTL, "--socket", daemon.socket, "events", "-f"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        seep.wait_until(lambda: daemon.get("/v1/info")["usage"]["connections"] == 4,
                        "three are there, and one asks")
        # It has sent its request, which is read before another one that comes later.
        seep.wait_equal(lambda: seep.state_of(client.pid), "S", "state of seepctl")
        daemon.get("/v1/info")
        ends = []
        # An answer that is cut off would raise IncompleteRead.
        readers = [threading.Thread(target=lambda r=r: ends.append(r.read()))
                   for r in (lines, events)]
        for reader in readers:
            reader.start()
        seep.equal(daemon.stop(), 0, "exit status of seepd")
        for reader in readers:
            reader.join(seep.DEADLINE)
        # But for heartbeats.
        seep.equal([e.strip(b":\n") for e in ends], [b"", b""], "what was read")
        _, err = client.communicate(timeout=seep.DEADLINE)
        seep.equal(client.returncode, 3, f"exit status of seepctl: {err}")
        assert b"has ended the stream" in err, f"it says so: {err}"


if __name__ == "__main__":
    seep.main(globals())
