#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that make what stays, as seep tells them from outside and tracemalloc from inside."""

import os
import sys

import python
import seep
import test_python_survivors as survivors


def bytes_of(census, kinds):
    return sum(t["bytes"] for t in census["types"] if t["type"] in kinds)


def compare(what, kind, *parts):
    """The line of most bytes, and how many: by which the type has grown, by the share of its line. What
    is made in the same line for each object of the type, its parts, tracemalloc counts with it."""
    kinds = (kind, *parts)
    environment = {**os.environ, "PYTHONTRACEMALLOC": "1"}
    with seep.Daemon(*survivors.TICK) as daemon, \
            python.Python("makers.py", what, env=environment) as makers:
        before = bytes_of(daemon.get("/v1/census", pid=makers.pid, by="type", limit=1000), kinds)
        key = daemon.track(makers.pid, mode="governed", limit_bytes=survivors.LIMIT)
        answer = survivors.ask(daemon, key, kind).json
        told = {int(n): size for n, size in makers.go().items()}
        census = daemon.get("/v1/census", pid=makers.pid, by="type", limit=1000)
        taken = census["taken_at"]

        def again():
            """Not one that saw tracemalloc's own objects come and go."""
            later = daemon.get("/v1/census", target=key, by="type", limit=1000)
            return later if later["taken_at"] > taken and not later["error_ratio"] else None
        census = seep.wait_until(again, "a census while it stands still", deadline=120)
        size = bytes_of(census, kinds) - before
        first = answer["created_at"][0]
        line = max(told, key=told.get)
        seep.equal(first["line"], line, f"the line of most bytes, of {told}")
        seeps = size * first["share"]
        print(f"# {what}: seep {seeps:.0f}, tracemalloc {told[line]}", file=sys.stderr)
        assert 0.8 < seeps / told[line] < 1.2, (seeps, told)
        makers.poke()


def test_beside_tracemalloc():
    """The same first line, and bytes within a fifth."""
    for what, *kinds in (("instances", "__main__.Plain"), ("slots", "__main__.Slotted"),
                         ("bare", "__main__.Bare"), ("dicts", "dict"), ("lists", "list"),
                         ("closures", "function", "tuple")):
        compare(what, *kinds)


if __name__ == "__main__":
    seep.main(globals())
