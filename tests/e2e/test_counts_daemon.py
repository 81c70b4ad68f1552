#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts of processes that run already: by the daemon, and by "seepctl trace"."""

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile

import seep


def check_tracked(daemon, workload, truth):
    """The sites are those that the workload tells, once the next tick has come."""
    key = daemon.find(workload.pid)["id"]
    functions = truth["functions"]
    daemon.wait_tick()
    seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions), functions,
                    f"figures of {workload.process.args[0]}")
    target = daemon.target(key)
    seep.check_nothing_lost(target)
    return key, target


def track_one(name, *arguments, options=()):
    with seep.Daemon(*options) as daemon, seep.Workload(name, *arguments) as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        _, target = check_tracked(daemon, workload, truth)
        seep.equal(target["coverage"]["from_start"], False, "the start was not seen")
        daemon.untrack(key)
        seep.check_no_breakpoints(workload.pid)
        seep.equal(workload.end(), 0, f"exit status of {name}")
    return truth, target


def test_family():
    truth, target = track_one("exact_family")
    seep.equal(target["coverage"]["failed_allocations"], truth["failures"], "failed allocations")
    seep.equal(target["coverage"]["frees_of_unknown_blocks"], 0, "frees of unknown blocks")


def test_family_by_perf_links():
    track_one("exact_family", options=("--links", "perf"))


def test_threads():
    track_one("threads8")


def test_million():
    """One site, a million blocks: a tick costs as much as one with a single block."""
    with seep.Daemon("--max-blocks", "2097152") as daemon, seep.Workload("million") as workload:
        daemon.track(workload.pid)
        truth = workload.go()
        check_tracked(daemon, workload, truth)
        # Some ticks take longer when others keep the machine busy; if blocks were read, all would.
        seep.wait_until(lambda: daemon.get("/v1/info")["last_tick_seconds"] < 0.020,
                        "a tick takes less than 20 ms")
        seep.equal(daemon.get("/v1/info")["usage"]["live_blocks"], 1000000, "blocks in use")
        workload.end()
        daemon.wait_gone()
        seep.wait_equal(lambda: daemon.get("/v1/info")["usage"]["live_blocks"], 0,
                        "the blocks of a process that is gone are forgotten")


def test_twins():
    """Two processes whose blocks have equal addresses."""
    prefix = ("setarch", "-R")
    with seep.Daemon() as daemon, \
            seep.Workload("twins", 1009, 101, prefix=prefix) as one, \
            seep.Workload("twins", 2003, 307, prefix=prefix) as two:
        daemon.track(one.pid)
        daemon.track(two.pid)
        first, second = one.go(), two.go()
        seep.equal(first["first"], second["first"], "addresses of the first blocks")
        check_tracked(daemon, one, first)
        check_tracked(daemon, two, second)
        one.end()
        # What is left of the other one does not change with it.
        seep.wait_until(lambda: (daemon.find(one.pid) or {"state": "exited"})["state"] == "exited",
                        "the first one is gone")
        check_tracked(daemon, two, second)
        two.end()


def test_fork_followed():
    with seep.Daemon() as daemon, seep.Workload("fork_inherit") as workload:
        key = daemon.track(workload.pid, follow=True)
        truth = workload.go()
        parent = {"parent_allocate": truth["functions"]["parent_allocate"]}
        seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), parent), parent,
                        "the parent")
        seep.check_nothing_lost(daemon.target(key))
        workload.end()


def test_fork_not_followed():
    """The child's frees of inherited blocks do not touch the parent's."""
    with seep.Daemon() as daemon, seep.Workload("fork_inherit") as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        parent = {"parent_allocate": truth["functions"]["parent_allocate"]}
        seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), parent), parent,
                        "the parent")
        assert "child_allocate" not in seep.by_function(daemon.sites(key)), "child was booked"
        seep.equal(len(daemon.targets()), 1, "no child is a target")
        seep.check_nothing_lost(daemon.target(key))
        workload.end()


def test_exec():
    """An exec ends the old image's target; the new one is followed from its start."""
    with seep.Daemon() as daemon, seep.Workload("exec_chain") as workload:
        daemon.track(workload.pid)
        truth = workload.go()
        figures = truth["functions"]["allocate"]

        def last_image():
            target = daemon.find(workload.pid)
            if not target or target["state"] != "traced":
                return None
            sites = [s for s in daemon.sites(target["id"], by="stack")
                     if any(f["function"] == "third_image" for f in s["frames"])]
            return sum(s["allocated_count"] for s in sites), sum(s["live_bytes"] for s in sites)
        seep.wait_equal(last_image, (figures["allocated_count"], figures["allocated_bytes"]),
                        "blocks of the third image")
        target = daemon.find(workload.pid)
        assert not any(f["function"] in ("first_image", "second_image")
                       for s in daemon.sites(target["id"], by="stack") for f in s["frames"]), \
            "blocks of an image that is gone are reported"
        seep.equal(target["coverage"]["from_start"], True, "the new image is seen from its start")
        workload.end()


def test_exec_while_attaching():
    """No note tells of it, as the kernel side does not know the target yet: its names are read anew."""
    with seep.Daemon() as daemon, tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        for i in range(5):
            # A file that is new to the daemon: looking at it takes longer than an exec.
            image = shutil.copy("/bin/sh", os.path.join(folder, f"image{i}"))
            process = subprocess.Popen([image, "-c", "read line; exec sleep 60"],
                                       stdin=subprocess.PIPE, preexec_fn=seep.die_with_parent)
            seep.wait_equal(lambda: seep.comm_of(process.pid), f"image{i}", "the first image")
            daemon.track(process.pid, traced=False)
            process.stdin.write(b"\n")
            process.stdin.close()
            seep.wait_equal(lambda: [(t["state"], t["comm"]) for t in daemon.targets()
                                     if t["pid"] == process.pid], [("traced", "sleep")],
                            "the image that is traced")
            process.kill()
            process.wait(30)


def test_exit():
    """A target that exits is listed as such, and then no more."""
    # For two ticks, which are to last longer than this process may have to wait for a processor.
    with seep.Daemon(tick="5s") as daemon, seep.Workload("twins", 31, 7) as workload:
        key = daemon.track(workload.pid)
        workload.go()
        workload.end()
        seep.wait_until(lambda: daemon.target(key)["state"] == "exited", "it is seen to exit")
        seep.wait_until(lambda: daemon.find(workload.pid) is None, "it is forgotten")
        response = daemon.request("GET", f"/v1/targets/{key}")
        seep.equal((response.status, response.code), (404, "no_such_target"), "a forgotten target")


def test_untrack():
    with seep.Daemon() as daemon, seep.Workload("churn", 2, wait=False) as workload:
        key = daemon.track(workload.pid)
        seep.wait_until(lambda: daemon.sites(key), "sites of a busy process")
        assert seep.changed_bytes(workload.pid), "a traced process has breakpoints"
        daemon.untrack(key)
        seep.check_no_breakpoints(workload.pid)
        workload.poke()
        seep.equal(workload.read_line(), "alive", "it runs on")
        daemon.wait_gone()
        # By selector, and again: tracking a second time starts from nothing.
        again = daemon.track(f"pid={workload.pid}")
        assert again != key, "an id was used again"
        seep.wait_until(lambda: daemon.sites(again), "sites of the second time")
        daemon.untrack(f"pid={workload.pid}")
        seep.check_no_breakpoints(workload.pid)
        workload.process.stdin.close()
        seep.equal(workload.process.wait(seep.DEADLINE), 0, "exit status of churn")


def test_selectors():
    """A lasting selector takes what is there and what comes."""
    with seep.Daemon() as daemon, tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        program = os.path.join(folder, "selected")
        os.link(seep.workload_path("twins"), program) if same_device(folder) else copy(program)
        with seep.Workload("twins", 101, 7, path=program) as one:
            daemon.track(f"exe={program}")
            with seep.Workload("twins", 103, 11, path=program) as two:
                target = seep.wait_until(lambda: daemon.find(two.pid), "the second one is found")
                daemon.wait_traced(target["id"])
                truth = two.go()
                check_tracked(daemon, two, truth)
                two.end()
            truth = one.go()
            check_tracked(daemon, one, truth)
            daemon.untrack(f"exe={program}")
            seep.wait_until(lambda: daemon.find(one.pid) is None
                            or daemon.find(one.pid)["state"] == "exited", "untracked by selector")
            seep.check_no_breakpoints(one.pid)
            one.end()


def test_process_that_starts():
    """Tracked before the C library is mapped: the dynamic linker waits for a pipe to be opened."""
    with seep.Daemon() as daemon, tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        pipe = os.path.join(folder, "pipe")
        os.mkfifo(pipe)
        with seep.Workload("churn", 1, wait=False, stderr=subprocess.DEVNULL,
                           env=seep.environment(LD_PRELOAD=pipe)) as workload:
            key = daemon.track(workload.pid, traced=False)
            os.close(os.open(pipe, os.O_WRONLY))
            workload.poke()
            seep.equal(workload.read_line(), "alive", "it runs")
            daemon.wait_traced(key)
            seep.wait_until(lambda: daemon.sites(key), "sites")


def test_track_option():
    """What is tracked from the daemon's start."""
    with seep.Workload("twins", 211, 31) as one, seep.Workload("twins", 307, 37) as two:
        with seep.Daemon("--track", str(one.pid), "--track", f"pid={two.pid}",
                         check=False) as daemon:
            for workload in (one, two):
                target = seep.wait_until(lambda: daemon.find(workload.pid), "a target")
                daemon.wait_traced(target["id"])
            for workload in (one, two):
                check_tracked(daemon, workload, workload.go())
            seep.equal(daemon.stop(), 0, "exit status")
        for workload in (one, two):
            seep.check_no_breakpoints(workload.pid)
            workload.end()


def test_plugin():
    """A library that comes after the attach, and goes again before anybody asks for names."""
    with seep.Daemon() as daemon, tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        plugin = os.path.join(folder, "plugin.so")
        source = os.path.join(seep.ROOT, "tests/workloads/plugin/plugin.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-g", source, "-o", plugin], check=True)
        with seep.Workload("dlopen_late", plugin) as workload:
            daemon.track(workload.pid)
            check_tracked(daemon, workload, workload.go())
            workload.end()


def same_device(folder):
    return os.stat(folder).st_dev == os.stat(seep.BUILD).st_dev


def copy(program):
    with open(seep.workload_path("twins"), "rb") as source, open(program, "wb") as target:
        target.write(source.read())
    os.chmod(program, 0o755)


def wait_tracing(process):
    """Until seepctl trace says that the probes are set."""
    while True:
        ready, _, _ = select.select([process.stderr], [], [], seep.DEADLINE)
        assert ready, "seepctl trace does not say that it is tracing"
        line = process.stderr.readline().decode()
        assert line, f"seepctl trace ended with {process.wait(seep.DEADLINE)}"
        if "Ctrl-C ends early" in line:
            return


def trace(workload, *options):
    """seepctl trace until the workload has told its truth; returns truth and report."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "report.json")
        process = subprocess.Popen(
            [seep.SEEPCTL, "trace", str(workload.pid), "--for", "1h", "-j", "-o", path, "--by",
             "function", "--exact", "--verbose", *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            preexec_fn=seep.die_with_parent, env=seep.environment())
        wait_tracing(process)
        truth = workload.go()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        seep.equal(process.returncode, 0, f"exit status of trace: {err}")
        seep.equal(out, b"", "the report goes to the file only")
        with open(path, encoding="utf-8") as f:
            return truth, json.load(f)


def test_trace():
    for name in ("exact_family", "threads8", "callers"):
        with seep.Workload(name) as workload:
            truth, report = trace(workload)
            functions = truth["functions"]
            seep.equal(seep.only(seep.by_function(report["sites"]), functions), functions,
                       f"figures of {name}")
            seep.check_nothing_lost(report["target"])
            seep.check_no_breakpoints(workload.pid)
            seep.equal(workload.end(), 0, f"exit status of {name}")


def test_trace_follows_forks():
    with seep.Workload("fork_inherit") as workload:
        truth, report = trace(workload, "--follow")
        seep.equal(seep.by_function(report["sites"]).get("parent_allocate"),
                   truth["functions"]["parent_allocate"], "the parent")
        seep.equal(len(report["children"]), 3, "children")
        seep.check_no_breakpoints(workload.pid)
        workload.end()


def test_trace_to_the_end():
    """The process exits before the time is over: the report comes at once."""
    with seep.Workload("twins", 211, 31) as workload:
        process = subprocess.Popen(
            [seep.SEEPCTL, "trace", str(workload.pid), "--for", "1h", "-j", "--by", "function",
             "--exact", "--verbose"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
            preexec_fn=seep.die_with_parent, env=seep.environment())
        wait_tracing(process)
        truth = workload.go()
        workload.end()
        out, err = process.communicate(timeout=seep.DEADLINE)
        seep.equal(process.returncode, 0, f"exit status of trace: {err}")
        found = seep.by_function(json.loads(out)["sites"])
        seep.equal(seep.only(found, truth["functions"]), truth["functions"], "figures")


if __name__ == "__main__":
    seep.main(globals())
