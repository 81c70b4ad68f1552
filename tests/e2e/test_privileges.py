#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What seepd may still do once it runs, as the kernel tells."""

import os
import stat
import tempfile

import seep

KILL, SETGID, SETUID, SYS_PTRACE, SYS_ADMIN = 5, 6, 7, 19, 21
DAC_READ_SEARCH, PERFMON, BPF, CHECKPOINT_RESTORE = 2, 38, 39, 40
ALWAYS = {DAC_READ_SEARCH, SYS_PTRACE, PERFMON, BPF, CHECKPOINT_RESTORE}


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def capabilities(pid, kind):
    bits = int(status_of(pid)[kind], 16)
    return {c for c in range(64) if bits >> c & 1}


def expect(daemon, wanted):
    wanted &= capabilities(os.getpid(), "CapPrm")
    for kind in ("CapEff", "CapPrm", "CapBnd"):
        seep.equal(capabilities(daemon.pid, kind), wanted, kind)
    for kind in ("CapInh", "CapAmb"):
        seep.equal(capabilities(daemon.pid, kind), set(), kind)
    seep.equal(status_of(daemon.pid)["NoNewPrivs"], "1", "no program gives any back")


def expect_of_helper(daemon, wanted):
    """The one that sets probes: once it has set one, it may do nothing else."""
    pid = seep.child_named(daemon.pid, "seep-probes")
    for kind in ("CapEff", "CapPrm"):
        seep.equal(capabilities(pid, kind), wanted, f"{kind} of seep-probes")


def works(daemon):
    with seep.Workload("twins", 7, 3) as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        seep.wait_until(lambda: daemon.sites(key), f"sites of {truth}")
        workload.end()


def links(daemon):
    return daemon.get("/v1/info")["links"]


def test_by_default():
    with seep.Daemon() as daemon:
        more = {SYS_ADMIN} if links(daemon) == "perf" else set()
        expect(daemon, ALWAYS | more)
        works(daemon)
        expect_of_helper(daemon, {BPF, PERFMON} | more)


def test_perf_uprobes():
    with seep.Daemon("--links", "perf") as daemon:
        expect(daemon, ALWAYS | {SYS_ADMIN})
        works(daemon)
        expect_of_helper(daemon, {BPF, PERFMON, SYS_ADMIN})


def test_commands():
    """They run as another user, and are killed when they take too long."""
    with seep.Daemon("--on-alert", "/bin/true", "--links", "perf") as daemon:
        expect(daemon, ALWAYS | {SYS_ADMIN, SETUID, SETGID, KILL})


def test_state_of_somebody_else():
    """Without CAP_DAC_OVERRIDE it could not be written; nobody else should have it anyway."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        os.chown(folder, 65534, 65534)
        with seep.Daemon(state_dir=folder) as daemon:
            assert "no history is kept" in daemon.log_whole(), daemon.log()
            seep.equal(os.listdir(folder), [], "files in it")
            seep.equal(stat.S_IMODE(os.stat(folder).st_mode), 0o700, "its mode")


if __name__ == "__main__":
    seep.main(globals())
