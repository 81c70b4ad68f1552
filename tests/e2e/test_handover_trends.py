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
    """Seconds from now to an alert of this scope, with a kill at each of some moments; None if it was told
    before the last of them."""
    begin = time.monotonic()
    for moment in restarts:
        pause(begin + moment - time.monotonic())
        daemon.restart(signal.SIGKILL)
        if told(daemon, key, scope):
            return None
    seep.wait_until(lambda: told(daemon, key, scope), "an alert", deadline=240)
    return time.monotonic() - begin


def time_to_alert(restarts):
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon:
        workload, key = start_service(daemon)
        with workload:
            took = await_alert(daemon, key, restarts, "stack")
            check_stop(daemon, workload)
    return took


def time_to_alert_of_a_type(restarts):
    with manager.ManagedDaemon(*test_census.TICK) as daemon, \
            test_census.Service("--tasks") as service:
        key = daemon.track(service.pid, mode="governed", limit_bytes=test_census.LIMIT)
        took = await_alert(daemon, key, restarts, "type")
        check_stop(daemon, service)
    return took


def have_gone_on(measure):
    undisturbed = measure(())
    killed = measure((0.35 * undisturbed, 0.7 * undisturbed))
    print(f"# told after {undisturbed:.1f} s, with two kills after {killed or 0:.1f} s")
    return killed and killed < 1.3 * undisturbed + 2


def test_trends_go_on():
    """No new warm-up: a leak is told about when it would have been without the kills. (Once in three
    times: the machine may be busier at one of them than at the other.)"""
    assert any(have_gone_on(time_to_alert) for _ in range(3)), "the trend has gone on"


def test_trends_of_types_go_on():
    """The same of Python objects, whose addresses are known from one census to the next."""
    assert any(have_gone_on(time_to_alert_of_a_type) for _ in range(3)), "the trend has gone on"


def kinds_of_events(daemon, leak):
    events = [json.loads(line) for line in daemon.seepctl("events", "-j").out.splitlines()]
    return [e["event"] for e in events if e["leak"]["id"] == leak]


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
            # On a slow machine it may have grown enough to be told again.
            seep.wait_equal(lambda: daemon.get(f"/v1/leaks/{last['id']}")["times_told"] -
                            kinds_of_events(daemon, last["id"]).count("grew"), 1, "times told")
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
