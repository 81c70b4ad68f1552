#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever happens to seepd, its targets run on and have no breakpoint left."""

import contextlib
import json
import os
import random
import select
import signal
import subprocess

import seep

ROUNDS = 13


def check_alive(workload):
    seep.check_no_breakpoints(workload.pid)
    workload.poke()
    seep.equal(workload.read_line(), "alive", "the target runs on")


def pause(seconds):
    """A moment to be chosen, not a condition to be met."""
    select.select([], [], [], seconds)


def test_kill_at_any_moment():
    """From before the probes are set to long after; the seed is told, so that it can be repeated."""
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    chance = random.Random(seed)
    with seep.Workload("churn", 3, wait=False) as workload:
        for _ in range(ROUNDS):
            daemon = seep.Daemon(check=False)
            with daemon:
                daemon.track(workload.pid, traced=False)
                pause(chance.choice((0.0, 0.05, 0.4)) * chance.random())
                daemon.process.send_signal(signal.SIGKILL)
                seep.equal(daemon.process.wait(seep.DEADLINE), -signal.SIGKILL, "it was killed")
            check_alive(workload)


def ask_and_leave(daemon, method, path):
    """Sends a request without waiting for the answer."""
    connection = seep.Connection(daemon.socket)
    connection.request(method, path)
    return connection


def test_kill_while_probes_are_removed():
    """A process that is killed while the kernel takes its uprobes away leaves them."""
    with seep.Workload("churn", 3, wait=False) as workload:
        for moment in (0.0, 0.002, 0.005, 0.011, 0.023, 0.041, 0.067, 0.09):
            with seep.Daemon(check=False) as daemon:
                key = daemon.track(workload.pid)
                connection = ask_and_leave(daemon, "DELETE", f"/v1/targets/{key}")
                pause(moment)
                daemon.process.kill()
                daemon.process.wait(seep.DEADLINE)
                connection.close()
            check_alive(workload)


def test_kill_in_windows():
    """A busy process that is probed now and then."""
    with seep.Workload("churn", 1, wait=False) as workload:
        for moment in (0.0, 0.03, 0.11, 0.17, 0.29):
            with seep.Daemon("--budget", "40%", "--total-budget", "40%", check=False) as daemon:
                key = daemon.track(workload.pid, mode="governed")
                seep.wait_until(lambda: daemon.target(key)["duty_ratio"], "it was probed")
                pause(moment)
                daemon.process.kill()
                daemon.process.wait(seep.DEADLINE)
            check_alive(workload)


def test_kill_when_traced():
    with seep.Workload("churn", 3, wait=False) as workload:
        for links in ("session", "multi", "perf"):
            with seep.Daemon("--links", links, check=False) as daemon:
                key = daemon.track(workload.pid)
                seep.wait_until(lambda: daemon.sites(key), "it is seen at work")
                assert seep.changed_bytes(workload.pid), "there are breakpoints while it is traced"
                daemon.process.send_signal(signal.SIGKILL)
                daemon.process.wait(seep.DEADLINE)
            check_alive(workload)


def test_kill_during_storm():
    """While children come and go: each of them does its work, with and without probes."""
    for moment in (0.01, 0.05, 0.13):
        with seep.Workload("spawn_storm", 1009) as workload:
            with seep.Daemon(check=False) as daemon:
                daemon.track(workload.pid, follow=True)
                workload.poke()
                pause(moment)
                daemon.process.send_signal(signal.SIGKILL)
                daemon.process.wait(seep.DEADLINE)
            seep.equal(json.loads(workload.read_line())["children"], 1009, "children that ended")
            seep.check_no_breakpoints(workload.pid)
            seep.equal(workload.end(), 0, "exit status of the parent")


def test_restart_after_kill():
    """The next daemon on the same socket finds no leftovers and traces anew."""
    with seep.Workload("churn", 2, wait=False) as workload:
        with seep.Daemon(check=False) as daemon:
            daemon.track(workload.pid)
            daemon.process.send_signal(signal.SIGKILL)
            daemon.process.wait(seep.DEADLINE)
            assert os.path.exists(daemon.socket), "a socket file is left"
            second = subprocess.Popen(daemon.command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                      preexec_fn=seep.die_with_parent)
            try:
                daemon.process = second
                seep.wait_until(daemon.is_ready, "the second daemon is ready")
                seep.equal(daemon.targets(), [], "targets of a new daemon")
                key = daemon.track(workload.pid)
                seep.wait_until(lambda: daemon.sites(key), "sites")
                seep.equal(daemon.stop(), 0, "exit status after SIGTERM")
            finally:
                with contextlib.suppress(ProcessLookupError):
                    second.kill()
                second.wait(seep.DEADLINE)
        check_alive(workload)


def test_term_while_busy():
    for number in (signal.SIGTERM, signal.SIGINT):
        with seep.Workload("churn", 3, wait=False) as workload:
            with seep.Daemon(check=False) as daemon:
                daemon.track(workload.pid)
                daemon.process.send_signal(number)
                seep.equal(daemon.process.wait(seep.DEADLINE), 0, f"exit status after signal {number}")
                assert not os.path.exists(daemon.socket), "the socket file is left"
            check_alive(workload)


def test_kill_symbolizer():
    """Its child is disposable: names are found all the same."""
    with seep.Daemon() as daemon, seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        for child in seep.symbolizers_of(daemon.pid):
            seep.kill_if_there(child)
        truth = workload.go()
        functions = truth["functions"]
        seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                        functions, "figures")
        workload.end()


def kill_child(daemon, name):
    """One of those that set probes; it must be the only one of its name."""
    child = seep.child_named(daemon.pid, name)
    os.kill(child, signal.SIGKILL)
    return child


def wait_child(daemon, name, old):
    """Until another one has taken its place."""
    seep.wait_until(lambda: [c for c in seep.children_named(daemon.pid, name) if c != old],
                    f"{name} runs again")


def is_without_probes(target):
    return (target["mode"], target["mode_reason"]) == ("watch", "no_probes")


def kill_and_see(daemon, key):
    """For a second or so the target is not traced. Whoever waits longer for a processor misses that."""
    for _ in range(3):
        old = kill_child(daemon, "seep-windows")

        def seen_or_over():
            if is_without_probes(daemon.target(key)):
                return "seen"
            others = [c for c in seep.children_named(daemon.pid, "seep-windows") if c != old]
            return "over" if others else None
        if seep.wait_until(seen_or_over, "it is not traced") == "seen":
            return old
    raise AssertionError("it is not told that it is not traced")


def start_windowed(daemon, workload):
    key = daemon.track(workload.pid, mode="governed")
    seep.wait_until(lambda: daemon.target(key)["mode"] == "windowed", "it is traced in windows")
    seep.wait_until(lambda: daemon.sites(key), "it is seen at work")
    return key


def calls_seen(daemon, key):
    return sum(s["allocated_count"] for s in daemon.sites(key))


def test_kill_setter_of_windows():
    """Its links are gone with it, which is told; then they are set again."""
    options = ("--budget", "20%", "--total-budget", "20%")
    with seep.Daemon(*options) as daemon, seep.Workload("churn", 1, wait=False) as workload:
        key = start_windowed(daemon, workload)
        old = kill_and_see(daemon, key)
        seep.wait_equal(lambda: seep.probes_on_libc(workload.pid), [], "no breakpoint is left")
        seen = calls_seen(daemon, key)
        wait_child(daemon, "seep-windows", old)
        seep.wait_until(lambda: daemon.target(key)["mode"] == "windowed", "it is traced again")
        seep.wait_until(lambda: calls_seen(daemon, key) > seen, "it is seen at work again")
        daemon.untrack(key)
        check_alive(workload)


def test_kill_setter_of_windows_again_and_again():
    """In the end it is not started any more; what is said of the target is true then."""
    options = ("--budget", "20%", "--total-budget", "20%")
    with seep.Daemon(*options, check=False) as daemon, \
            seep.Workload("churn", 1, wait=False) as workload, \
            seep.Workload("exact_family") as quiet:
        key = start_windowed(daemon, workload)
        for _ in range(5):
            wait_child(daemon, "seep-windows", kill_child(daemon, "seep-windows"))
        kill_child(daemon, "seep-windows")
        seep.wait_until(lambda: "died too often" in daemon.log_whole(), "it is given up")
        seep.wait_until(lambda: is_without_probes(daemon.target(key)), "it is not traced")
        seep.wait_equal(lambda: seep.probes_on_libc(workload.pid), [], "no breakpoint is left")
        pause(3)
        seep.equal(seep.children_named(daemon.pid, "seep-windows"), [], "children for windows")
        assert is_without_probes(daemon.target(key)), "nobody claims that it is traced"
        # What needs no windows is traced as ever.
        other = daemon.track(quiet.pid, mode="governed")
        seep.equal(daemon.target(other)["mode"], "exact", "mode")
        seep.equal(daemon.stop(), 0, "exit status")
        check_alive(workload)


def check_setter(links):
    """seepd has the links, too: they stay, and the next child removes them."""
    with seep.Daemon("--links", links) as daemon, \
            seep.Workload("churn", 2, wait=False) as first, \
            seep.Workload("churn", 1, wait=False) as second:
        key = daemon.track(first.pid)
        seep.wait_until(lambda: daemon.sites(key), "it is seen at work")
        old = kill_child(daemon, "seep-probes")
        seep.wait_until(lambda: not seep.descriptors(old), "it is dead")
        seen = calls_seen(daemon, key)
        seep.wait_until(lambda: calls_seen(daemon, key) > seen, "it is still seen at work")
        seep.equal(daemon.target(key)["mode"], "exact", "mode")
        other = daemon.track(second.pid)
        seep.wait_until(lambda: daemon.sites(other), "the other one is seen at work, too")
        wait_child(daemon, "seep-probes", old)
        for k in (key, other):
            daemon.untrack(k)
        check_alive(first)
        check_alive(second)


def test_kill_setter():
    check_setter("session")


def test_kill_setter_of_perf_links():
    check_setter("perf")


def test_kill_run():
    """The command of a killed "seepctl run" goes on, and nothing is left in it."""
    process = subprocess.Popen(
        [seep.SEEPCTL, "run", "-o", "/dev/null", "--", seep.workload_path("churn"), "2"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        env=seep.environment())
    try:
        process.stdin.write(b"x")
        seep.equal(process.stdout.readline(), b"alive\n", "the command runs")
        command = seep.child_that_runs(process.pid, "churn")
        assert seep.changed_bytes(command), "there are breakpoints while it is traced"
        process.kill()
        process.wait(seep.DEADLINE)
        seep.check_no_breakpoints(command)
        process.stdin.write(b"x")
        seep.equal(process.stdout.readline(), b"alive\n", "the command goes on")
    finally:
        process.stdin.close()
        process.kill()
        process.wait(seep.DEADLINE)
        process.stdout.close()


if __name__ == "__main__":
    seep.main(globals())
