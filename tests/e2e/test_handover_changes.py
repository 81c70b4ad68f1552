#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What has changed while no seepd ran: its targets, its limits, or what it has left to the next one."""

import contextlib
import os
import select
import signal
import subprocess
import tempfile

import manager
import python
import seep
import test_python_frames as python_frames


def figures_of(daemon, key, names):
    return seep.only(seep.by_function(daemon.sites(key)), names)


def check_figures(daemon, key, truth):
    functions = truth["functions"]
    seep.wait_equal(lambda: figures_of(daemon, key, functions), functions, "figures")
    seep.check_nothing_lost(daemon.target(key))


def check_stop(daemon, *workloads):
    seep.equal(daemon.stop(), 0, "exit status")
    for workload in workloads:
        seep.check_no_breakpoints(workload.pid)


def pause(seconds):
    """A moment to be chosen, not a condition to be met."""
    select.select([], [], [], seconds)


def test_work_goes_on_without_a_daemon():
    """All that is allocated and freed happens while nobody reads."""
    for name in ("exact_family", "threads8"):
        with manager.ManagedDaemon() as daemon, seep.Workload(name) as workload:
            key = daemon.track(workload.pid)
            daemon.kill()
            truth = workload.go()
            daemon.again()
            check_figures(daemon, key, truth)
            check_stop(daemon, workload)


def test_exit_meanwhile():
    with manager.ManagedDaemon() as daemon:
        with seep.Workload("twins", 1009, 101) as workload:
            key = daemon.track(workload.pid)
            workload.go()
            seep.wait_until(lambda: daemon.sites(key), "sites")
            daemon.kill()
            workload.end()
        daemon.again()
        seep.wait_equal(daemon.targets, [], "targets")
        seep.wait_equal(lambda: daemon.get("/v1/info")["usage"]["live_blocks"], 0, "live blocks")
        seep.equal(daemon.get("/v1/targets")["selectors"], [], "selectors")
        seep.equal(daemon.stop(), 0, "exit status")


def test_exec_meanwhile():
    """The links stay with the process; the new image's blocks are its own."""
    with manager.ManagedDaemon() as daemon, seep.Workload("exec_chain") as workload:
        old = daemon.track(workload.pid)
        daemon.kill()
        figures = workload.go()["functions"]["allocate"]
        daemon.again()

        def last_image():
            target = daemon.find(workload.pid)
            if not target or target["id"] == old or target["state"] != "traced":
                return None
            sites = [s for s in daemon.sites(target["id"], by="stack")
                     if any(f["function"] == "third_image" for f in s["frames"])]
            return sum(s["allocated_count"] for s in sites), sum(s["live_bytes"] for s in sites)
        seep.wait_equal(last_image, (figures["allocated_count"], figures["allocated_bytes"]),
                        "blocks of the third image")
        seep.wait_equal(lambda: [t["id"] for t in daemon.targets() if t["state"] != "exited"],
                        [daemon.find(workload.pid)["id"]], "targets")
        check_stop(daemon, workload)


def test_fork_meanwhile():
    with manager.ManagedDaemon() as daemon, seep.Workload("fork_inherit") as workload:
        key = daemon.track(workload.pid, follow=True)
        daemon.kill()
        truth = workload.go()["functions"]
        daemon.again()
        parent = {"parent_allocate": truth["parent_allocate"]}
        seep.wait_equal(lambda: figures_of(daemon, key, parent), parent, "the parent")
        seep.check_nothing_lost(daemon.target(key))
        seep.wait_equal(lambda: [t["id"] for t in daemon.targets()], [key], "targets")
        check_stop(daemon, workload)


def start_as(pid, *arguments):
    """A workload with this pid, if the kernel can be asked for it."""
    for _ in range(50):
        try:
            with open("/proc/sys/kernel/ns_last_pid", "w", encoding="ascii") as f:
                f.write(str(pid - 1))
        except OSError as error:
            raise seep.Skip(f"no pid can be asked for: {error}") from error
        workload = seep.Workload(*arguments)
        if workload.pid == pid:
            return workload
        workload.kill()
    raise seep.Skip(f"pid {pid} was not to be had")


def test_pid_in_use_anew():
    with manager.ManagedDaemon() as daemon:
        with seep.Workload("twins", 1009, 101) as workload:
            key = daemon.track(workload.pid)
            workload.go()
            seep.wait_until(lambda: daemon.sites(key), "sites")
            daemon.kill()
            workload.end()
        with start_as(workload.pid, "twins", 211, 31) as other:
            daemon.again()
            other.go()
            seep.wait_equal(daemon.targets, [], "targets")
            seep.check_no_breakpoints(other.pid)
            fresh = daemon.track(other.pid)
            assert fresh != key, "an id is not used again"
            check_stop(daemon, other)


def test_selectors_go_on():
    """One that lasts finds who came meanwhile; who was untracked by himself stays out."""
    with manager.ManagedDaemon() as daemon, seep.renamed("twins") as path, \
            seep.Workload("twins", 7, 3, path=path) as first, \
            seep.Workload("twins", 7, 3, path=path) as second:
        selector = "comm=" + os.path.basename(path)
        response = daemon.request("POST", "/v1/targets", {"selector": selector, "mode": "exact"})
        seep.equal(response.status, 201, "track")
        key = {t["pid"]: t["id"] for t in response.json["targets"]}
        daemon.wait_traced(key[first.pid])
        daemon.untrack(key[second.pid])
        daemon.kill()
        with seep.Workload("twins", 11, 5, path=path) as third:
            daemon.again()
            seep.wait_equal(lambda: sorted(t["pid"] for t in daemon.targets()
                                           if t["state"] == "traced"),
                            sorted([first.pid, third.pid]), "who is traced")
            seep.equal(daemon.find(first.pid)["id"], key[first.pid], "the id of the first one")
            daemon.untrack(selector)
            daemon.restart()
            seep.equal(daemon.targets(), [], "what was untracked stays so")
            check_stop(daemon, first, second, third)


def test_options_of_the_command_line():
    """A selector that the last seepd has left and the command line names, too."""
    with seep.renamed("twins") as path, seep.Workload("twins", 1009, 101, path=path) as workload:
        with manager.ManagedDaemon("--track", "comm=" + os.path.basename(path)) as daemon:
            key = seep.wait_until(lambda: daemon.find(workload.pid), "a target")["id"]
            daemon.wait_traced(key)
            daemon.restart(signal.SIGKILL)
            seep.equal([t["id"] for t in daemon.targets()], [key], "targets")
            check_stop(daemon, workload)


def test_library_that_is_gone():
    """Nobody maps it any more; its names are known all the same."""
    with manager.ManagedDaemon() as daemon, \
            tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        plugin = os.path.join(folder, "plugin.so")
        source = os.path.join(seep.ROOT, "tests/workloads/plugin/plugin.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-g", source, "-o", plugin], check=True)
        with seep.Workload("dlopen_late", plugin) as workload:
            key = daemon.track(workload.pid)
            truth = workload.go()
            seep.wait_until(lambda: daemon.sites(key), "sites")
            daemon.restart(signal.SIGKILL)
            check_figures(daemon, key, truth)
            check_stop(daemon, workload)


def test_governed_and_quiet():
    """Every block is taken, before and after, and all the time between."""
    with manager.ManagedDaemon() as daemon, seep.Workload("leak_steady", 211, 1009) as workload:
        key = daemon.track(workload.pid, mode="governed")
        workload.poke()
        for _ in range(3):
            pause(0.7)
            daemon.restart(signal.SIGKILL)
            seep.equal(daemon.target(key)["mode"], "exact", "mode")
        figures = workload.go()["functions"]
        seep.wait_equal(lambda: figures_of(daemon, key, figures), figures, "figures")
        check_stop(daemon, workload)


def test_sampled():
    with manager.ManagedDaemon() as daemon, seep.Workload("churn", 1, wait=False) as workload:
        key = daemon.track(workload.pid, mode="sampled", sampling_interval_bytes=65536)
        before = daemon.target(key)
        for number in (signal.SIGKILL, signal.SIGTERM):
            daemon.restart(number)
            after = daemon.target(key)
            for field in ("mode", "sampling_interval_bytes", "state"):
                seep.equal(after[field], before[field], field)
        check_stop(daemon, workload)


def test_windows():
    """Those that are open are closed, others are opened; no probe is left in the end."""
    with manager.ManagedDaemon("--budget", "4%", "--total-budget", "4%") as daemon, \
            seep.Workload("churn", 1, wait=False) as workload:
        key = daemon.track(workload.pid, mode="governed")
        for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            seep.wait_until(lambda: daemon.target(key)["mode"] == "windowed", "windows")
            seep.wait_until(lambda: daemon.sites(key), "it is seen at work")
            pause(0.3)
            daemon.restart(number)
        seep.wait_until(lambda: daemon.target(key)["mode"] == "windowed", "windows")
        check_stop(daemon, workload)
        workload.poke()
        seep.equal(workload.read_line(), "alive", "the target runs on")


def check_afresh(daemon, workload, why):
    """What there was is refused and removed, and all works anew, also the next restart."""
    seep.wait_until(lambda: why in daemon.log_whole(), f"it says {why!r}: {daemon.log()}")
    seep.equal(daemon.targets(), [], "targets")
    seep.check_no_breakpoints(workload.pid)
    daemon.store.settle()
    names = daemon.store.names()
    seep.equal(len(names), len(set(names)), "every name is in the store once")
    key = daemon.track(workload.pid)
    truth = workload.go()
    check_figures(daemon, key, truth)
    return key, truth


def test_other_limits():
    with manager.ManagedDaemon() as daemon, seep.Workload("exact_family") as workload:
        daemon.track(workload.pid)
        daemon.command += ["--max-frames", "32"]
        daemon.restart()
        key, truth = check_afresh(daemon, workload, "another layout or other limits")
        daemon.restart(signal.SIGKILL)
        check_figures(daemon, key, truth)
        check_stop(daemon, workload)


def test_foreign_stamp():
    with manager.ManagedDaemon() as daemon, seep.Workload("exact_family") as workload:
        daemon.track(workload.pid)
        daemon.kill()
        os.pwrite(daemon.store.fd("seep-stamp"), b"abi 0123456789", 0)
        daemon.again()
        key, truth = check_afresh(daemon, workload, "another layout or other limits")
        daemon.restart(signal.SIGKILL)
        check_figures(daemon, key, truth)
        check_stop(daemon, workload)


def test_missing_parts():
    for name, why in (("seep-stamp", "has no stamp"), ("seep-map-live", "not all of it")):
        with manager.ManagedDaemon() as daemon, seep.Workload("exact_family") as workload:
            daemon.track(workload.pid)
            daemon.kill()
            daemon.store.drop(name)
            daemon.again()
            check_afresh(daemon, workload, why)
            check_stop(daemon, workload)


def test_store_is_too_small():
    with manager.ManagedDaemon(most=10) as daemon, seep.Workload("exact_family") as workload:
        daemon.track(workload.pid)
        for number in (signal.SIGKILL, signal.SIGTERM):
            daemon.restart(number)
            seep.wait_until(lambda: "FileDescriptorStoreMax" in daemon.log_whole(), "it says why")
            seep.equal(daemon.targets(), [], "targets")
            seep.check_no_breakpoints(workload.pid)
        key = daemon.track(workload.pid)
        check_figures(daemon, key, workload.go())
        check_stop(daemon, workload)


def test_damaged_state():
    """Nobody knows whose the probes are: they go, and what was seen goes with them."""
    with manager.ManagedDaemon() as daemon, seep.Workload("exact_family") as workload:
        daemon.track(workload.pid)
        daemon.kill()
        for i in range(2):
            os.pwrite(daemon.store.fd(f"seep-state-{i}"), b"\0" * 64, 3)
        daemon.again()
        key, truth = check_afresh(daemon, workload, "cannot be read")
        daemon.restart(signal.SIGKILL)
        check_figures(daemon, key, truth)
        check_stop(daemon, workload)


def test_damaged_trends():
    """Targets and blocks are not touched by that."""
    with manager.ManagedDaemon("--detector-tick", "50ms") as daemon, \
            seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        seep.wait_until(lambda: daemon.get("/v1/info")["detector"]["last_evaluation_seconds"] > 0,
                        "an evaluation")
        daemon.kill()
        for i in range(2):
            os.pwrite(daemon.store.fd(f"seep-trends-{i}"), b"\x55" * 64, 40)
        daemon.again()
        check_figures(daemon, key, truth)
        check_stop(daemon, workload)


def test_targets_of_files():
    """What a file has brought in stays the file's: with its thresholds, and it goes with the file."""
    with seep.Workload("exact_family") as workload:
        rule = f"[Target]\nSelector={workload.pid}\nMode=exact\nLeastBlocks=1009\n"
        with manager.ManagedDaemon(config={"targets.d/family.conf": rule}) as daemon:
            def selectors():
                return [(s["selector"], s["is_configured"])
                        for s in daemon.get("/v1/targets")["selectors"]]
            daemon.wait_traced(seep.wait_until(lambda: daemon.find(workload.pid), "a target")["id"])
            for number in (signal.SIGTERM, signal.SIGKILL):
                daemon.restart(number)
                seep.equal(selectors(), [(str(workload.pid), True)], "selectors after a restart")
            daemon.write_config("targets.d/family.conf", None)
            daemon.reload()
            seep.wait_equal(selectors, [], "selectors without the file")
            check_stop(daemon, workload)


def test_children_are_gone_too():
    """The child that sets windows is killed with its parent, and nobody needs it."""
    with manager.ManagedDaemon() as daemon, seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        child = os.pidfd_open(seep.child_named(daemon.pid, "seep-windows"))
        daemon.kill()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(child, signal.SIGKILL)
        os.close(child)
        daemon.again()
        truth = workload.go()
        check_figures(daemon, key, truth)
        daemon.restart(signal.SIGKILL)
        check_figures(daemon, key, truth)
        check_stop(daemon, workload)


def test_setter_was_killed_before():
    """The child that took its place has the links of before, too, and hands them over."""
    with manager.ManagedDaemon() as daemon, seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        old = seep.child_named(daemon.pid, "seep-probes")
        pause(1.1)
        os.kill(old, signal.SIGKILL)
        seep.wait_until(lambda: [c for c in seep.children_named(daemon.pid, "seep-probes")
                                 if c != old], "it runs again, without being asked for anything")
        daemon.wait_tick()
        daemon.restart(signal.SIGKILL)
        check_figures(daemon, key, workload.go())
        check_stop(daemon, workload)


def test_python():
    """Frames of code that was met before have their names and lines, and so have those met later."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder, \
            manager.ManagedDaemon() as daemon, \
            python.Python("frames.py", python_frames.build(folder, "leak.c", "-shared", "-fPIC",
                                                           "leak.so")) as workload:
        key = daemon.track(workload.pid)
        blocks = workload.go()["blocks"]
        daemon.wait_tick()
        python_frames.check_blocks(blocks, python_frames.all_sites(daemon, key))
        for number in (signal.SIGTERM, signal.SIGKILL):
            daemon.restart(number)
            python_frames.check_blocks(blocks, python_frames.all_sites(daemon, key))
            seep.equal(daemon.target(key)["python_error"], None, "why not")
        check_stop(daemon, workload)


if __name__ == "__main__":
    seep.main(globals())
