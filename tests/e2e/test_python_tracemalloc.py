#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that make what stays, as seep tells them from outside and tracemalloc from inside."""

import os
import sys

import python
import seep
import test_python_survivors as survivors


def bytes_of(census, kind):
    return next((t["bytes"] for t in census["types"] if t["type"] == kind), 0)


def compare(what, kind, is_alone=True):
    """The line of most bytes, and how many: by which the type has grown, by the share of its line.

    Not alone: other objects of the type are made, in the same line, or by tracemalloc's own statistics,
    that are of lists. Then the line counts, and the bytes are only printed."""
    environment = {**os.environ, "PYTHONTRACEMALLOC": "1"}
    with seep.Daemon(*survivors.TICK) as daemon, \
            python.Python("makers.py", what, env=environment) as makers:
        before = bytes_of(daemon.get("/v1/census", pid=makers.pid, by="type", limit=1000), kind)
        key = daemon.track(makers.pid, mode="governed", limit_bytes=survivors.LIMIT)
        answer = survivors.ask(daemon, key, kind).json
        told = {int(n): size for n, size in makers.go().items()}
        census = daemon.get("/v1/census", pid=makers.pid, by="type", limit=1000)
        taken = census["taken_at"]

        def again():
            later = daemon.get("/v1/census", target=key, by="type", limit=1000)
            return later if later["taken_at"] > taken else None
        census = seep.wait_until(again, "a census while it stands still", deadline=60)
        size = bytes_of(census, kind) - before
        first = answer["created_at"][0]
        line = max(told, key=told.get)
        seep.equal(first["line"], line, f"the line of most bytes, of {told}")
        seeps = size * first["share"]
        print(f"# {what}: seep {seeps:.0f}, tracemalloc {told[line]}", file=sys.stderr)
        assert not is_alone or 0.8 < seeps / told[line] < 1.2, (seeps, told)
        makers.poke()


def test_beside_tracemalloc():
    """The same first line, and bytes within a fifth."""
    for what, kind in (("instances", "__main__.Plain"), ("slots", "__main__.Slotted"),
                       ("bare", "__main__.Bare"), ("dicts", "dict"), ("lists", "list"),
                       ("closures", "function")):
        compare(what, kind, is_alone=what not in ("lists", "closures"))


if __name__ == "__main__":
    seep.main(globals())
