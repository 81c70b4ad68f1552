#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From one seepd to the next: no call is missed, and no probe is left behind.

SEEP_KILLS=100 is the long form of test_killed_at_any_moment.
"""

import os
import random
import select
import signal

import manager
import seep

KILLS = int(os.environ.get("SEEP_KILLS", "17"))
FUNCTIONS = ("keep_one", "pass_one")


def pause(seconds):
    """A moment to be chosen, not a condition to be met."""
    select.select([], [], [], max(seconds, 0))


def check_figures(daemon, key, workload):
    """Of a workload that is paused: every call was seen, and none twice."""
    truth = workload.go()["functions"]
    seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), FUNCTIONS), truth,
                    "figures")
    seep.check_nothing_lost(daemon.target(key))
    return truth


def site_ids(daemon, key):
    return sorted(s["site_id"] for s in daemon.sites(key, by="stack")
                  if seep.bare_name(s["frames"][0]["function"]) in FUNCTIONS or
                  any(seep.bare_name(f["function"]) in FUNCTIONS for f in s["frames"]))


def check_stop(daemon, *workloads):
    seep.equal(daemon.stop(), 0, "exit status")
    for workload in workloads:
        seep.check_no_breakpoints(workload.pid)


def start_ledger(daemon, threads=2, **options):
    workload = seep.Workload("ledger", threads)
    key = daemon.track(workload.pid, **options)
    workload.poke()
    return workload, key


def test_restart_under_load():
    with manager.ManagedDaemon() as daemon:
        workload, key = start_ledger(daemon)
        with workload:
            seep.wait_until(lambda: len(site_ids(daemon, key)) >= 2, "sites")
            before = daemon.target(key)
            ids = site_ids(daemon, key)
            for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGABRT):
                daemon.process.send_signal(number)
                daemon.process.wait(seep.DEADLINE)
                assert seep.probes_on_libc(workload.pid), "probes stay meanwhile"
                pause(0.1)
                daemon.again()
                after = daemon.target(key)
                for field in ("id", "pid", "start_time", "attached_at", "mode", "state"):
                    seep.equal(after[field], before[field], f"{field} of the target")
                seep.wait_equal(lambda: site_ids(daemon, key), ids, "site ids")
            check_figures(daemon, key, workload)
            workload.poke()
            check_stop(daemon, workload)


def test_killed_at_any_moment():
    """Often, and also while it takes over; the seed is told, so that it can be repeated."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}, {KILLS} kills")
    chance = random.Random(seed)
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon:
        workload, key = start_ledger(daemon)
        with workload:
            for i in range(KILLS):
                pause(chance.choice((0.0, 0.02, 0.7, 1.5)) * chance.random())
                daemon.restart(signal.SIGKILL, wait=chance.random() < 0.5)
                if i % 10 == 9:
                    seep.wait_until(daemon.is_ready, "seepd is ready")
                    check_figures(daemon, key, workload)
                    workload.poke()
            seep.wait_until(daemon.is_ready, "seepd is ready")
            truth = check_figures(daemon, key, workload)
            assert truth["keep_one"]["allocated_count"] > 1000, truth
            check_stop(daemon, workload)


def test_links_of_each_kind():
    for links in ("multi", "perf"):
        with manager.ManagedDaemon("--links", links) as daemon:
            workload, key = start_ledger(daemon, 1)
            with workload:
                for number in (signal.SIGKILL, signal.SIGTERM):
                    pause(0.2)
                    daemon.restart(number)
                check_figures(daemon, key, workload)
                check_stop(daemon, workload)


if __name__ == "__main__":
    seep.main(globals())
