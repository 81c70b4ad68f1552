#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The core of the end-to-end tests on another kernel, and what doctor says of that kernel."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))

import seep  # noqa: E402
import test_callers as callers  # noqa: E402
import test_counts_daemon as daemon  # noqa: E402
import test_counts_run as run  # noqa: E402
import test_kill as kill  # noqa: E402
import test_losses as losses  # noqa: E402
import test_python_frames as python_frames  # noqa: E402
import test_stacks_preempt as preempt  # noqa: E402

# What a kernel cannot do is found by trying; that the right things are found is told by versions:
# the first one that doctor is to be content with.
FIRST_VERSION = {
    "btf": (5, 10),
    "tracing": (5, 10),
    "mappings": (5, 10),  # by a walk over the kernel's own tree, later by bpf_find_vma
    "memory": (6, 1),  # maps that grow in any context
    "links": (6, 10),  # uprobe_multi links whose filter knows processes, not threads
}


def version():
    return tuple(int(n) for n in os.uname().release.split("-")[0].split("+")[0].split(".")[:2])


def doctor():
    result = seep.seepctl("doctor", "-j")
    seep.equal(result.status, 0, f"exit status of doctor: {result}")
    return {check["name"]: check for check in result.json["checks"]}


def test_doctor():
    for line in seep.seepctl("doctor").out.splitlines():
        print(f"# {line}")
    checks = doctor()
    found = {name: checks[name]["status"] for name in FIRST_VERSION}
    expected = {name: "ok" if version() >= first else "warn"
                for name, first in FIRST_VERSION.items()}
    seep.equal(found, expected, f"what doctor says of kernel {os.uname().release}")


def has_multi_links():
    return doctor()["links"]["status"] == "ok"


def test_daemon_killed():
    """The kernel takes the probes away."""
    with seep.Workload("churn", 3, wait=False) as workload:
        for links in ("multi", "perf") if has_multi_links() else ("perf",):
            with seep.Daemon("--links", links, check=False, deadline=90) as killed:
                key = killed.track(workload.pid)
                seep.wait_until(lambda: killed.sites(key), "it is seen at work")
                assert seep.changed_bytes(workload.pid), "there are breakpoints while it is traced"
                killed.process.kill()
                killed.process.wait(30)
            kill.check_alive(workload)


def test_run_family_by_multi_links():
    if not has_multi_links():
        raise seep.Skip("doctor says that there are no uprobe_multi links")
    run.test_family_by_multi_links()


test_run_family = run.test_family
test_run_family_by_perf_links = run.test_family_by_perf_links
test_run_threads = run.test_threads
test_run_exec = run.test_exec
test_run_children = run.test_children
test_run_storm_of_children = run.test_storm_of_children
test_run_segv = run.test_segv
test_stacks_c = callers.test_c
test_stacks_cxx = callers.test_cxx
test_stacks_by_line = callers.test_by_line
test_stacks_preemption = preempt.test_preemption
test_daemon_family = daemon.test_family
test_daemon_family_by_perf_links = daemon.test_family_by_perf_links
test_daemon_threads = daemon.test_threads
test_daemon_fork_followed = daemon.test_fork_followed
test_daemon_fork_not_followed = daemon.test_fork_not_followed
test_daemon_exec = daemon.test_exec
test_daemon_exit = daemon.test_exit
test_python_frames = python_frames.test_fork_and_exec
test_losses_full_map = losses.test_full_live_map
test_losses_unreadable_stack = losses.test_unreadable_stack
test_losses_depth = losses.test_depth

if __name__ == "__main__":
    seep.main(globals())
