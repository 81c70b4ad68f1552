#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""From one seepd to the next: trends need no new warm-up, and alerts are told once."""

import json
import select
import signal
import time

import manager
import seep
import test_census

PAIRS = 4
LONGER = 1.25  # with the kills, or without
SLACK_SECONDS = 1
BIRTHS = 1.25


def pause(seconds):
    """A moment to be chosen, not a condition to be met."""
    select.select([], [], [], max(seconds, 0))


def check_stop(daemon, *workloads):
    seep.equal(daemon.stop(), 0, "exit status")
    for workload in workloads:
        seep.check_no_breakpoints(workload.pid)


def start_service(daemon):
    workload = seep.Workload("service", wait=False)
    try:
        return workload, daemon.track(workload.pid, limit_bytes=48 << 20)
    except BaseException:
        workload.kill()
        raise


def told(daemon, key, scope="stack"):
    return [l for l in daemon.leaks(target=key) if l["told"] and l["scope"] == scope]


def await_alert(daemon, key, restarts, scope):
    """Seconds from now to an alert of this scope, with a kill at each of some moments, and how many of all
    that were born it counts for each that is left; None if it was told before the last of them. What was
    freed before a kill only the trends know."""
    begin = time.monotonic()
    for moment in restarts:
        pause(begin + moment - time.monotonic())
        daemon.restart(signal.SIGKILL)
        if told(daemon, key, scope):
            return None, None
    seep.wait_until(lambda: told(daemon, key, scope), "an alert", deadline=240)
    took = time.monotonic() - begin
    bars = told(daemon, key, scope)[0]["bars"]
    return took, sum(b["births"] for b in bars) / sum(b["blocks"] for b in bars)


def time_to_alert(restarts):
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon:
        workload, key = start_service(daemon)
        with workload:
            measured = await_alert(daemon, key, restarts, "stack")
            check_stop(daemon, workload)
    return measured


def time_to_alert_of_a_type(restarts):
    with manager.ManagedDaemon(*test_census.TICK) as daemon, \
            test_census.Service("--tasks") as service:
        key = daemon.track(service.pid, mode="governed", limit_bytes=test_census.LIMIT)
        measured = await_alert(daemon, key, restarts, "type")
        check_stop(daemon, service)
    return measured


def is_near(value, least):
    return least / LONGER - SLACK_SECONDS <= value <= least * LONGER + SLACK_SECONDS


def check_gone_on(measure, least_pairs):
    """Told about when it would have been without the kills, neither later nor sooner. What else the machine
    does only adds to a time: the least of some is compared, of more where that may be why they differ."""
    undisturbed, killed = [], []
    for pair in range(1, PAIRS + 1):
        seconds, births = measure(())
        undisturbed.append(seconds)
        least = min(undisturbed)
        took, births_with_kills = measure((0.35 * least, 0.7 * least))
        if took is None:
            continue
        killed.append(took)
        print(f"# told after {seconds:.1f} s, {births:.2f} born for each that is left, with two kills after "
              f"{took:.1f} s, {births_with_kills:.2f}", flush=True)
        if pair >= least_pairs and is_near(min(killed), least) and \
                births / BIRTHS <= births_with_kills <= births * BIRTHS:
            return
    raise AssertionError(f"{killed} s with two kills, {undisturbed} s without; or births are not those of "
                         "all lives")


def test_trends_go_on():
    """No new warm-up."""
    check_gone_on(time_to_alert, 2)


def test_trends_of_types_go_on():
    """The same of Python objects, whose addresses are known from one census to the next."""
    check_gone_on(time_to_alert_of_a_type, 1)


def kinds_of_events(daemon, leak):
    events = [json.loads(line) for line in daemon.seepctl("events", "-j").out.splitlines()]
    return [e["event"] for e in events if e["leak"]["id"] == leak]


def leak_tick(daemon, leak):
    return daemon.get(f"/v1/leaks/{leak}")["numbers"]["now"]


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
                seep.equal([l["id"] for l in told(daemon, key)], [last["id"]],
                           "the alert of the process, at once")
                leak = daemon.get(f"/v1/leaks/{last['id']}")
                for field in ("state", "told", "opened_at", "pid"):
                    seep.equal(leak[field], last[field], f"{field} of the alert")
            seep.equal([k for k in kinds_of_events(daemon, last["id"])
                        if k in ("opened", "closed", "resumed", "cleared")],
                       ["opened"], "events of the alert")
            judged = leak_tick(daemon, last["id"])
            seep.wait_until(lambda: leak_tick(daemon, last["id"]) > judged, "it is judged again")
            daemon.check_told_once(last["id"])
            check_stop(daemon, workload)


def test_alert_of_a_process_that_ended_meanwhile():
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon:
        workload, key = start_service(daemon)
        with workload:
            last = daemon.wait_told(key)[0]
            daemon.kill()
            workload.kill()
            daemon.again()
            seep.wait_until(lambda: daemon.get(f"/v1/leaks/{last['id']}")["closed_at"],
                            "it is closed by the exit")
            seep.equal(daemon.stop(), 0, "exit status")


if __name__ == "__main__":
    seep.main(globals())
