#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Growth that no probe sees is found and suggested; growth that is none of blocks is told apart."""

import contextlib
import os

import seep

TICK = "100ms"
LIMIT_BYTES = 512 << 20
BLOCK_BYTES = 65536
RATE = 100  # blocks a second: 6.25 MiB


class Cgroup:
    """A cgroup with a memory limit, so that growth is large against what is left."""

    def __init__(self):
        self.path = None
        with open("/proc/self/cgroup", encoding="utf-8") as f:
            lines = [line.rstrip("\n").split(":", 2) for line in f]
        for mount, names, limit in (("/sys/fs/cgroup/memory", "memory", "memory.limit_in_bytes"),
                                    ("/sys/fs/cgroup", "", "memory.max")):
            for _, controllers, path in lines:
                if names not in controllers.split(","):
                    continue
                path = os.path.join(mount, path.lstrip("/"), f"seep-e2e-{os.getpid()}")
                if self.make(path, limit):
                    return
        raise seep.Skip("no cgroup with a memory limit can be made here")

    def make(self, path, limit):
        try:
            os.mkdir(path)
        except OSError:
            return False
        try:
            with open(os.path.join(path, limit), "w", encoding="ascii") as f:
                f.write(str(LIMIT_BYTES))
        except OSError:
            os.rmdir(path)
            return False
        self.path = path
        return True

    def add(self, workload):
        with open(os.path.join(self.path, "cgroup.procs"), "w", encoding="ascii") as f:
            f.write(str(workload.pid))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        def is_gone():
            try:
                os.rmdir(self.path)
            except OSError:
                return not os.path.exists(self.path)
            return True
        seep.wait_until(is_gone, f"{self.path} can be removed")


def start_leak(cgroup, rate=RATE):
    leak = seep.Workload("leak_steady", rate, BLOCK_BYTES)
    cgroup.add(leak)
    leak.poke()
    return leak


def suggested(daemon):
    return {s["pid"]: s for s in daemon.get("/v1/targets", suggested="true")["suggested"]}


def test_suggested():
    with Cgroup() as cgroup, seep.Daemon("--detector-tick", TICK) as daemon, \
            seep.Workload("grow_then_plateau", 1009, wait=False) as steady, \
            start_leak(cgroup) as leak:
        cgroup.add(steady)
        found = seep.wait_until(lambda: suggested(daemon).get(leak.pid), "a leak is suggested")
        rate = RATE * BLOCK_BYTES * 3600
        assert 0.5 * rate < found["bytes_per_hour"] < 1.5 * rate, \
            f"{found['bytes_per_hour']} bytes per hour, not about {rate}"
        left = LIMIT_BYTES / rate * 3600
        assert 0 < found["seconds_to_limit"] < 2 * left, f"to the limit: {found}"
        seep.equal(found["comm"], "leak_steady", "its name")
        seep.equal(found["exe"], seep.workload_path("leak_steady"), "its executable")
        seep.equal(found["memory"]["limit_bytes"], LIMIT_BYTES, "the limit that holds")
        seep.equal(found["memory"]["limit_of"], "cgroup", "whose limit that is")
        assert found["rss_bytes"] > 16 << 20, f"resident: {found}"
        assert "keeps growing" in found["why"] and "its cgroup's limit" in found["why"], \
            found["why"]
        assert steady.pid not in suggested(daemon), "a full cache is not suggested"
        seep.equal(daemon.targets(), [], "nothing is tracked")
        seep.wait_until(lambda: f"pid {leak.pid} (leak_steady) may be worth tracking"
                        in daemon.log_whole(), "it is logged")

        listing = daemon.seepctl("targets", "--suggested")
        assert str(leak.pid) in listing.out and "leak_steady" in listing.out, f"{listing}"
        assert f"seepctl track {leak.pid}" in listing.out + listing.err, f"{listing}"
        as_json = daemon.seepctl("targets", "--suggested", "--json").json
        assert leak.pid in [s["pid"] for s in as_json["suggested"]], as_json

        # What is tracked needs no suggestion.
        daemon.track(leak.pid)
        assert leak.pid not in suggested(daemon), "it is tracked now"
        leak.end()


def test_cgroup():
    """Four workers leak together what none of them does alone: too little for its age."""
    rate = RATE // 4
    with Cgroup() as cgroup, seep.Daemon("--detector-tick", TICK) as daemon, \
            contextlib.ExitStack() as stack:
        workers = [stack.enter_context(start_leak(cgroup, rate)) for _ in range(4)]
        found = seep.wait_until(lambda: [s for s in suggested(daemon).values()
                                         if s["pid"] in [w.pid for w in workers]],
                                "one of them is suggested")
        seep.equal(len(found), 1, f"suggested: {found}")
        assert "The memory of its cgroup" in found[0]["why"], found[0]["why"]
        assert "Of 4 processes there" in found[0]["why"], found[0]["why"]
        sum_of_rates = RATE * BLOCK_BYTES * 3600
        assert 0.5 * sum_of_rates < found[0]["bytes_per_hour"] < 1.5 * sum_of_rates, found
        for w in workers:
            w.end()


def test_auto_track():
    with Cgroup() as cgroup, \
            seep.Daemon("--detector-tick", TICK, "--auto-track") as daemon, \
            start_leak(cgroup) as leak:
        target = seep.wait_until(lambda: daemon.find(leak.pid), "a leak is tracked")
        seep.wait_equal(lambda: daemon.target(target["id"])["state"], "traced", "its state")
        seep.wait_until(lambda: daemon.sites(target["id"]), "its sites")
        assert f"tracking pid {leak.pid} (leak_steady) by itself" in daemon.log_whole(), daemon.log()
        # What people take away stays away.
        daemon.untrack(target["id"])
        seep.wait_until(lambda: suggested(daemon).get(leak.pid), "it is suggested again")
        ticks = daemon.get("/v1/info")["ticks"]
        seep.wait_until(lambda: daemon.get("/v1/info")["ticks"] > ticks + 2,
                        "some ticks later")
        seep.equal(daemon.find(leak.pid), None, "it is not tracked again")
        leak.end()


def test_no_room():
    """There are no more targets than are allowed, and that is said, once."""
    with Cgroup() as cgroup, \
            seep.Daemon("--detector-tick", TICK, "--auto-track", "--max-targets", "1") as daemon, \
            seep.Workload("twins", 7, 3) as other, start_leak(cgroup) as leak:
        key = daemon.track(other.pid)
        said = f"pid {leak.pid} (leak_steady) is not tracked by itself"
        seep.wait_until(lambda: said in daemon.log_whole(), "it is told")
        seep.equal([t["id"] for t in daemon.targets()], [key], "targets")
        # Room is made.
        other.go()
        other.end()
        seep.wait_until(lambda: daemon.find(leak.pid), "it is tracked then")
        seep.equal(daemon.log_whole().count(said), 1, "how often it was told")
        leak.end()


def test_fragmentation():
    """The allocator keeps what was freed: that is no leak, and said to be none."""
    with seep.Daemon("--detector-tick", "300ms") as daemon, \
            seep.Workload("fragment", 4096) as fragment, \
            seep.Workload("leak_steady", RATE, BLOCK_BYTES) as leak:
        keys = {w: daemon.track(w.pid) for w in (fragment, leak)}
        for w in keys:
            w.poke()

        def says(workload, verdict):
            got = daemon.target(keys[workload])["reconciliation"]
            return got if got and got["verdict"] == verdict else None

        kept = seep.wait_until(lambda: says(fragment, "retained"), "growth without a leak",
                               deadline=90)
        assert kept["growth_bytes"] > 32 << 20, kept
        assert kept["explained_bytes"] < 0.1 * kept["growth_bytes"], kept
        seep.equal(kept["retained_bytes"], kept["growth_bytes"] - kept["explained_bytes"], "sum")
        assert "the allocator retains" in kept["text"], kept["text"]
        leaked = seep.wait_until(lambda: says(leak, "explained"), "growth by live blocks",
                                 deadline=90)
        assert leaked["explained_bytes"] > 0.8 * leaked["growth_bytes"] > 0, leaked
        listing = daemon.seepctl("sites", str(fragment.pid))
        assert "live blocks explain" in listing.out, f"{listing}"
        assert "the allocator retains" in listing.out, f"{listing}"
        fragment.end()
        leak.end()


if __name__ == "__main__":
    seep.main(globals())
