#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lines that make Python objects which stay, found by a burst of probes on their constructors.

The detector's tick is 50 ms here, and censuses may cost more than they do by default.
"""

import sys

import python
import seep

TICK = ("--detector-tick", "50ms", "--census-budget", "50%")
LIMIT = 60 << 20
ENOUGH = 200  # objects


def marked(what):
    """Numbers of the lines with this comment."""
    with open(f"{python.SCRIPTS}/makers.py", encoding="utf-8") as program:
        return [n for n, line in enumerate(program, 1)
                if line.rstrip().endswith(f"# {what} stays")]


def count_of(daemon, key, kind):
    response = daemon.request("GET", f"/v1/census?target={key}&by=type&limit=1000")
    if response.status != 200:
        return 0
    return {t["type"]: t["count"] for t in response.json["types"]}.get(kind, 0)


def ask(daemon, key, kind):
    """The answer when it is there, or the problem."""
    path = f"/v1/census/origins?target={key}&type={kind}"
    seep.wait_until(lambda: count_of(daemon, key, kind) > ENOUGH, f"objects of {kind}", deadline=120)
    begun = seep.wait_until(lambda: past_busy(daemon, path), "another search ends", deadline=180)
    seep.equal((begun.status, begun.json["state"]), (202, "sampling"), begun.body)

    def known():
        response = daemon.request("GET", path)
        return None if response.json.get("state") == "sampling" else response
    return seep.wait_until(known, f"lines of {kind}", deadline=240)


def past_busy(daemon, path):
    """A kind that was found to grow meanwhile is looked into first."""
    response = daemon.request("POST", path)
    return response if response.status != 409 else None


def check(what, kind, seen):
    """seen: the least share of constructions; None: builds that inline everything see nothing, and say so."""
    with seep.Daemon(*TICK) as daemon, python.Python("makers.py", what) as makers:
        key = daemon.track(makers.pid, mode="governed", limit_bytes=LIMIT)
        response = ask(daemon, key, kind)
        if seen is None and response.status != 200:
            seep.equal(response.code, "no_origins", response.body)
            return
        seep.equal(response.status, 200, response.body)
        answer = response.json
        print(f"# {what}: saw {answer['constructions_seen']}, {answer['created_at']}",
              file=sys.stderr)
        lines = [line["line"] for line in answer["created_at"]]
        seep.equal(lines, marked(what), f"lines that make the {kind} that stay")
        first = answer["created_at"][0]
        assert first["file"].endswith("/makers.py"), first
        assert first["survivors"] >= 8 and first["survivors"] > 0.9 * first["sampled"], first
        if seen:
            assert answer["constructions_seen"] >= seen, answer["constructions_seen"]
        target = daemon.target(key)
        seep.equal((target["state"], target["coverage"]["lost"]["python_code"]), ("traced", 0),
                   "the target")


def test_tasks():
    check("tasks", "_asyncio.Task", 0.8)


def test_instances():
    check("instances", "__main__.Plain", 0.8)


def test_slots():
    check("slots", "__main__.Slotted", 0.8)


def test_no_init():
    check("bare", "__main__.Bare", 0.8)


def test_dicts():
    check("dicts", "dict", None)


def test_lists():
    check("lists", "list", None)


def test_closures():
    check("closures", "function", None)


def test_what_is_not_seen_is_said():
    """No function that can be probed makes the bytes of an expression."""
    with seep.Daemon(*TICK) as daemon, python.Python("makers.py", "bytes") as makers:
        key = daemon.track(makers.pid, mode="governed", limit_bytes=LIMIT)
        response = ask(daemon, key, "bytes")
        seep.equal((response.status, response.code), (409, "no_origins"), response.body)
        done = daemon.seepctl("census", str(key), "--origins", "no.such.Type")
        seep.equal(done.status, 1, done)


def test_a_leak_tells_its_line():
    """Found to grow, a kind is looked into by itself; beside other bursts the target lives on."""
    with seep.Daemon(*TICK) as daemon, python.Python("makers.py", "tasks") as makers:
        key = daemon.track(makers.pid, mode="governed", limit_bytes=LIMIT)

        def leak():
            return next((l for l in daemon.leaks(target=key)
                         if l["type"] == "_asyncio.Task" and l["created_at"]), None)
        found = seep.wait_until(leak, "a leak with lines", deadline=200)
        seep.equal([l["line"] for l in found["created_at"]], marked("tasks"), "its lines")
        assert found["constructions_seen"] > 0.8, found["constructions_seen"]
        line = f"makers.py:{marked('tasks')[0]}"
        assert any(line in sentence for sentence in found["evidence"]), found["evidence"]
        shown = daemon.seepctl("show", found["id"][:8])
        assert line in shown.out, shown


if __name__ == "__main__":
    seep.main(globals())
