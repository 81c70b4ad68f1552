#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From one seepd to the next: no block, site, trend or alert is lost, and no probe is left behind.

SEEP_KILLS=100 is the long form of test_killed_at_any_moment.
"""

import json
import os
import random
import select
import signal
import time

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
                daemon.process.wait(30)
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
                    seep.wait_until(daemon.is_ready, "seepd is ready", 30)
                    check_figures(daemon, key, workload)
                    workload.poke()
            seep.wait_until(daemon.is_ready, "seepd is ready", 30)
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


def start_service(daemon):
    workload = seep.Workload("service", wait=False)
    try:
        return workload, daemon.track(workload.pid, limit_bytes=48 << 20)
    except BaseException:
        workload.kill()
        raise


def time_to_alert(restarts):
    """Seconds from the beginning to the alert, with a kill at each of some moments."""
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon:
        workload, key = start_service(daemon)
        with workload:
            begin = time.monotonic()
            for moment in restarts:
                pause(begin + moment - time.monotonic())
                daemon.restart(signal.SIGKILL)
                seep.equal([l for l in daemon.leaks(target=key) if l["told"]], [], "told so far")
            daemon.wait_told(key)
            took = time.monotonic() - begin
            check_stop(daemon, workload)
    return took


def test_trends_go_on():
    """No new warm-up: a leak is told about when it would have been without the kills."""
    undisturbed = time_to_alert(())
    killed = time_to_alert((0.35 * undisturbed, 0.7 * undisturbed))
    print(f"# told after {undisturbed:.1f} s, with two kills after {killed:.1f} s")
    assert killed < 1.3 * undisturbed + 2, "the trend has gone on"


def test_alerts_go_on():
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon:
        workload, key = start_service(daemon)
        with workload:
            last = daemon.wait_told(key)[0]
            for number in (signal.SIGKILL, signal.SIGTERM):
                daemon.restart(number)
                verdicts = {s["frames"][0]["function"]: s["trend"]["verdict"]
                            for s in daemon.sites(key, by="stack")}
                seep.equal(verdicts.get("make_record"), "leaking", "verdict, at once")
                # It is shown for its process again at the next evaluation.
                seep.wait_until(lambda: daemon.leaks(target=key), "the alert of the process")
                leak = daemon.get(f"/v1/leaks/{last['id']}")
                for field in ("state", "told", "opened_at", "times_told", "pid"):
                    seep.equal(leak[field], last[field], f"{field} of the alert")
            kinds = [json.loads(line) for line in daemon.seepctl("events", "-j").out.splitlines()]
            kinds = [e["event"] for e in kinds if e["leak"]["id"] == last["id"]]
            seep.equal([k for k in kinds if k in ("opened", "closed", "resumed", "cleared")],
                       ["opened"], "events of the alert")
            check_stop(daemon, workload)


if __name__ == "__main__":
    seep.main(globals())
