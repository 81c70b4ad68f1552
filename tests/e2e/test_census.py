#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Python objects from outside: counts are those of the collector, and what leaks has a type.

The detector's tick is 50 ms here, and censuses may cost more than they do by default.
"""

import json
import os
import re
import subprocess

import grown
import seep

TICK = ("--detector-tick", "50ms", "--census-budget", "50%")
LIMIT = 60 << 20
RATE_MARGIN = 0.1  # of 12 intervals of 6.4 s or more: the censuses around an end may be a second or two apart
SERVICE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "workloads",
                       "python_service.py")
PYTHON = "/usr/bin/python3"
CENSUSES = 100  # the leak is told after fewer


class Service:
    """The Python service of tests/workloads, with its own view of its heap."""

    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen([PYTHON, SERVICE, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, preexec_fn=seep.die_with_parent,
                                        env={**os.environ, **environment})
        self.pid = self.process.pid
        assert json.loads(self.process.stdout.readline())["ready"]

    def count(self):
        """Objects by type as its collector has them; it does nothing until go()."""
        self.process.stdin.write(b"count\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def grown(self):
        """How many objects had leaked when."""
        self.process.stdin.write(b"grown\n")
        self.process.stdin.flush()
        return grown.Grown(json.loads(self.process.stdout.readline()))

    def go(self):
        self.process.stdin.write(b"go\n")
        self.process.stdin.flush()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.kill()
        self.process.wait(seep.DEADLINE)


def counts_of(census):
    return {t["type"]: t["count"] for t in census["types"]}


def test_counts_are_the_collectors():
    with seep.Daemon(*TICK) as daemon, Service() as service:
        # Some seconds of work: sessions, entries and what they hold.
        seep.wait_until(lambda: own_count(daemon, service.pid, "__main__.Session") > 1000,
                        "a thousand sessions")
        collector = service.count()
        census = daemon.get("/v1/census", pid=service.pid, by="type", limit=1000)
        counted = counts_of(census)
        for name in ("__main__.Session", "__main__.Entry", "set", "module", "function",
                     "_asyncio.Task", "coroutine", "collections.OrderedDict", "generator"):
            seep.equal(counted.get(name, 0), collector.get(name, 0), f"objects of {name}")
        seep.equal(census["unread_pools"], 0, "pools that could not be read")
        seep.equal(census["target"], None, "it is not tracked")
        assert census["objects"] == sum(counted.values()), "the types are all there is"
        # No census of the tracked process is newer than the count: it is taken once more.
        again = counts_of(daemon.get("/v1/census", pid=service.pid, by="type", limit=1000))
        seep.equal(again["__main__.Session"], counted["__main__.Session"], "it stands still")
        service.go()


def own_count(daemon, pid, name):
    census = daemon.get("/v1/census", pid=pid, by="type", limit=1000)
    return counts_of(census).get(name, 0)


def test_a_leak_is_told_with_its_type_and_holder():
    with seep.Daemon(*TICK) as daemon, Service() as service:
        key = daemon.track(service.pid, mode="governed", limit_bytes=LIMIT)
        leak = wait_explained(daemon, key)
        seep.equal(told_types(daemon, key), ["__main__.Session"], "types that are told")
        seep.equal((leak["scope"], leak["state"], leak["times_told"]), ("type", "leaking", 1),
                   "how")
        held = leak["held_by"][0]
        assert re.search(r"\.sessions\[.*\]$", held["path"]), held
        seep.equal(held["samples"], leak["held_samples"], "all are held by it")
        grown.check_rate(leak, service.grown(), RATE_MARGIN, leak["bytes_per_object"])
        assert "list" in [w["type"] for w in leak["with"]], leak["with"]
        check_views(daemon, key, leak)


def test_tasks_that_a_set_keeps():
    """Of two lines that make tasks one keeps them, all ended, in a set that nobody empties."""
    with seep.Daemon(*TICK) as daemon, Service("--tasks") as service:
        key = daemon.track(service.pid, mode="governed", limit_bytes=LIMIT)
        leak = wait_explained(daemon, key)
        seep.equal(leak["type"], "_asyncio.Task", "its type")
        seep.equal((leak["runs"]["function"], leak["runs"]["done"]), ("audit", True), "its code")
        held = leak["held_by"][0]
        assert "background" in held["path"] and held["container"] == "set", held
        comes = [w["type"] for w in leak["with"]]
        assert "coroutine" in comes and "_contextvars.Context" in comes, comes
        seep.equal(told_types(daemon, key), ["_asyncio.Task"], "what is told")


def wait_explained(daemon, key):
    """The first type that is told, with what is looked for once it is: who holds its objects."""
    return seep.wait_until(lambda: next((l for l in daemon.leaks(target=key)
                                         if l["told"] and l["type"] and l["held_by"]), None),
                           "an alert, and who holds what leaks", deadline=240)


def told_types(daemon, key):
    return [l["type"] for l in daemon.leaks(target=key) if l["told"] and l["type"]]


def check_views(daemon, key, leak):
    listing = daemon.seepctl("leaks")
    assert "__main__.Session" in listing.out, listing
    shown = daemon.seepctl("show", leak["id"][:8])
    assert ".sessions[" in shown.out and "Held by" in shown.out, shown
    census = daemon.get("/v1/census", target=key, sort="growth", limit=1000)
    of = {t["type"]: t for t in census["types"]}
    seep.equal(of["__main__.Session"]["trend"]["verdict"], "leaking", "verdict of the type")
    seep.equal(of["__main__.Session"]["leak"], leak["id"], "its alert")
    seep.equal(of["__main__.Entry"]["trend"]["verdict"], "quiet", "verdict of the cache's type")
    assert of["__main__.Session"]["trend"]["bytes_per_hour"] > 1 << 20, of["__main__.Session"]
    text = daemon.seepctl("census", str(key), "--limit", "1000")
    assert re.search(r"leaking +__main__\.Session", text.out), text
    sites = daemon.get("/v1/sites", target=key, by="type", limit=1000)["sites"]
    names = {s["frames"][0]["function"]: s for s in sites}
    seep.equal(names["__main__.Session"]["trend"]["verdict"], "leaking", "of the site by type")
    seep.equal(daemon.seepctl("census", "no-such-thing").status, 5, "exit code")
    seep.equal(daemon.seepctl("census", str(key), "--limit", "1001").status, 2, "exit code")


def test_a_clean_service_is_nobodys_alert():
    """For as long as the leak above takes, and more."""
    with seep.Daemon(*TICK) as daemon, Service("--clean") as service:
        key = daemon.track(service.pid, mode="governed", limit_bytes=LIMIT)

        seen = set()

        def cache_size():
            census = daemon.get("/v1/census", target=key, by="type", limit=1000)
            seen.add(census["taken_at"])
            return counts_of(census).get("__main__.Entry", 0)
        seep.wait_until(lambda: cache_size() >= 2900 and len(seen) > CENSUSES,
                        "a full cache, and censuses", deadline=400)
        seep.equal(told_types(daemon, key), [], "types that are told")


def test_what_cannot_be_counted():
    with seep.Daemon(*TICK) as daemon, Service(PYTHONMALLOC="malloc") as service, \
            seep.Workload("pace", wait=False) as other:
        response = daemon.request("GET", f"/v1/census?pid={other.pid}")
        seep.equal((response.status, response.code), (409, "not_python"), "a C program")
        response = daemon.request("GET", f"/v1/census?pid={service.pid}")
        seep.equal((response.status, response.code), (409, "no_census"), response.body)
        for query, code in (("", "bad_parameter"), ("?pid=0", "bad_parameter"),
                            ("?pid=1&target=1-1", "bad_parameter"),
                            (f"?pid={service.pid}&by=line", "bad_parameter"),
                            (f"?pid={service.pid}&limit=1001", "limit_out_of_range"),
                            ("?pid=4194303", "no_such_process"),
                            ("?target=1-1", "no_such_target")):
            response = daemon.request("GET", "/v1/census" + query)
            seep.equal(response.code, code, f"{query}: {response.body}")
        seep.equal(daemon.seepctl("census", str(other.pid)).status, 1, "exit code")


def test_the_child_may_die():
    with seep.Daemon(*TICK) as daemon, Service() as service:
        key = daemon.track(service.pid, mode="governed", limit_bytes=LIMIT)
        taken = None
        for _ in range(5):
            seep.wait_until(lambda: seep.children_named(daemon.pid, "seep-python"), "a child")
            for child in seep.children_named(daemon.pid, "seep-python"):
                seep.kill_if_there(child)

            def later():
                response = daemon.request("GET", f"/v1/census?target={key}&limit=1")
                # A request that the child worked on is the one that its death costs.
                at = response.json["taken_at"] if response.status == 200 else taken
                return at if at != taken else None
            taken = seep.wait_until(later, "another census")
        seep.equal(daemon.target(key)["state"], "traced", "the target")


if __name__ == "__main__":
    seep.main(globals(), requires=[PYTHON])
