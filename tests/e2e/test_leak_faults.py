#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What goes wrong around the detector costs no verdict: its database, its disk, itself, the limit.

A minute of a service's life is 50 ms here, as in test_leaks.py. A wall clock that jumps is not tried
here: it is the machine's, and time namespaces do not cover it. The detector never asks for it; for the
history tests/unit/test_history.c has clocks that jump.
"""

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile

import seep

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "eval"))
import watching  # noqa: E402 pylint: disable=wrong-import-position

TICK = ("--detector-tick", "50ms")
LIMIT = 48 << 20
TOLD_SECONDS = 240  # several daemons at a time, perhaps on a busy machine

# Requests of service: 20 each 20 ms. The leak is told within half of these.
CLEAN_REQUESTS = 20 * 50 * 31


def pause(seconds):
    """A gap of this length is what is tried, not a condition to be met."""
    select.select([], [], [], seconds)


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as path:
        yield path


@contextlib.contextmanager
def small_disk(options):
    """A file system of its own."""
    with folder() as path:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", path],
                                 capture_output=True, text=True, check=False)
        if mounted.returncode:
            raise seep.Skip(f"nothing can be mounted here: {mounted.stderr.strip()}")
        try:
            yield path
        finally:
            subprocess.run(["umount", "-l", path], check=True)


def fill(disk):
    """The rest of it; returns the file that does."""
    path = os.path.join(disk, "filler")
    with open(path, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(bytes(4096))
    return path


class Watched:
    """A service under a seepd of its own."""

    def __init__(self, state, *arguments, options=(), limit=LIMIT):
        self.daemon = seep.Daemon(*TICK, *options, state_dir=state, check=False)
        self.workload = seep.Workload("service", *arguments, wait=False)
        try:
            self.key = self.daemon.track(self.workload.pid, limit_bytes=limit)
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise

    def log(self):
        with open(self.daemon.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def history(self):
        return self.daemon.get("/v1/info")["history"]

    def wait_requests(self, n):
        """Until so many more were seen."""
        def seen():
            return self.daemon.target(self.key)["coverage"]["allocations_seen"]
        first = seen()
        seep.wait_until(lambda: seen() >= first + n, f"{n} requests", deadline=TOLD_SECONDS)

    def check_told(self):
        told = self.daemon.wait_told(self.key, deadline=TOLD_SECONDS)
        seep.equal([(l["frames"][0]["function"], l["state"]) for l in told],
                   [("make_record", "leaking")], "what is told")
        self.daemon.check_told_once(told[0]["id"])
        return told[0]

    def check_nothing_told(self):
        assert self.daemon.get("/v1/info")["detector"]["judged"] > 0, "sites are followed"
        seep.equal([l["frames"] for l in self.daemon.leaks() if l["told"]], [], "alerts")

    def wait_log(self, words):
        seep.wait_until(lambda: words in self.log(), f"seepd says: {words}")

    def stop(self):
        seep.equal(self.daemon.stop(), 0, f"exit status: {self.daemon.log()}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        try:
            self.daemon.__exit__(*exception)
        finally:
            self.workload.__exit__()


def scramble(path):
    with open(path, "r+b", buffering=0) as f:
        f.write(os.urandom(os.path.getsize(path)))


def halve(path):
    os.truncate(path, os.path.getsize(path) // 2)


def database(state):
    return os.path.join(state, "history.db")


def make_history(state):
    """A life that leaves something behind."""
    with Watched(state, "--clean") as life:
        life.wait_requests(1000)
        life.stop()
    assert os.path.getsize(database(state)) > 65536, "there is a history"


def test_a_database_that_is_damaged_at_the_start():
    with folder() as first, folder() as parent, contextlib.ExitStack() as stack:
        make_history(first)
        lives = []
        for damage in (scramble, halve):
            state = os.path.join(parent, damage.__name__)
            shutil.copytree(first, state)
            damage(database(state))
            lives.append(stack.enter_context(Watched(state)))
            assert "the history was damaged" in lives[-1].log(), lives[-1].log()
            assert os.path.exists(database(state) + ".damaged"), os.listdir(state)
        for life in lives:
            life.check_told()
            found = life.history()
            seep.equal((found["is_kept"], found["lost_records"], found["error"]),
                       (True, 0, None), "the new history")
            life.stop()


def test_a_database_that_is_damaged_at_work():
    """It may well be that only the next life reads what is damaged; one of them says so."""
    with folder() as parent, contextlib.ExitStack() as stack:
        lives = []
        for damage in (scramble, halve):
            state = os.path.join(parent, damage.__name__)
            life = stack.enter_context(Watched(state))
            life.wait_requests(1000)
            damage(database(state))
            lives.append((state, life))
        for state, life in lives:
            leak = life.check_told()
            seep.equal(life.daemon.request("GET", "/healthz").status, 200, "health")
            life.stop()
            said = life.log()
            with seep.Daemon(*TICK, state_dir=state, check=False) as after:
                assert after.get("/v1/info")["history"]["is_kept"], "the next one keeps a history"
                assert "damaged" in said + after.log(), said + after.log()
                print(f"# {leak['id']} is {'' if after.leaks() else 'not '}known after "
                      f"{os.path.basename(state)}")
                seep.equal(after.stop(), 0, "exit status")


def check_full_disk(disk, life, filler):
    """Nothing of it is lost, for it waits in memory."""
    leak = life.check_told()
    life.wait_log("trying again: No space left on device")
    found = life.history()
    seep.equal((found["is_kept"], found["lost_records"], found["error"]),
               (True, 0, "No space left on device"), "the history on a full disk")
    os.unlink(filler)
    life.wait_log("works again; 0 records are lost")
    seep.equal(life.history()["error"], None, "the history on a disk with room")
    life.daemon.process.kill()
    life.daemon.process.wait(seep.DEADLINE)
    with seep.Daemon(*TICK, state_dir=os.path.join(disk, "state"), check=False) as after:
        found = after.get(f"/v1/leaks/{leak['id']}")
        seep.equal((found["opened_at"], found["closed_at"]), (leak["opened_at"], None),
                   "the alert in the next life")
        after.check_told_once(leak["id"], judged_anew=True)
        seep.equal(after.stop(), 0, "exit status")


def test_a_disk_that_is_full():
    """From the start, and later."""
    with small_disk("size=4m") as late, small_disk("size=4m") as early:
        fillers = [os.path.join(late, "filler"), fill(early)]
        with Watched(os.path.join(early, "state")) as first, \
                Watched(os.path.join(late, "state")) as second:
            second.wait_requests(1000)
            fill(late)
            check_full_disk(early, first, fillers[1])
            check_full_disk(late, second, fillers[0])


def test_without_a_history_a_leak_is_told_all_the_same():
    """In a folder that is read-only, and in one that another seepd has."""
    with small_disk("size=4m,ro") as disk, folder() as shared:
        with Watched(disk) as first, seep.Daemon(*TICK, state_dir=shared, check=False) as owner, \
                Watched(shared) as second:
            for life, why in ((first, "Read-only file system"),
                              (second, "Device or resource busy")):
                seep.wait_until(lambda life=life, why=why: any(
                    "no history is kept" in line and why in line
                    for line in life.log().splitlines()), f"seepd says: {why}")
                seep.equal(life.history()["is_kept"], False, "a history is kept")
                life.check_told()
            seep.equal(owner.get("/v1/info")["history"]["is_kept"], True, "the first has it")
            for daemon in (first.daemon, second.daemon, owner):
                seep.equal(daemon.stop(), 0, "exit status")


@contextlib.contextmanager
def stopped(*processes):
    for process in processes:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGCONT)


def test_seepd_stands_still_for_a_while():
    """Once alone, and once with its target, as on a machine that is suspended."""
    with folder() as parent, \
            Watched(os.path.join(parent, "clean"), "--clean") as clean, \
            Watched(os.path.join(parent, "leak")) as leak:
        clean.wait_requests(CLEAN_REQUESTS // 4)
        with stopped(clean.daemon.process, leak.daemon.process):
            pause(6)
        clean.wait_requests(CLEAN_REQUESTS // 8)
        with stopped(clean.daemon.process, clean.workload.process):
            pause(6)
        leak.check_told()
        clean.wait_requests(CLEAN_REQUESTS // 2)
        clean.check_nothing_told()
        for life in (clean, leak):
            life.stop()


def test_a_limit_that_changes():
    """Where a leak would be told by then, a limit that comes near and goes away again is none."""
    why = watching.why_no_cell()
    if why:
        raise seep.Skip(why)
    with watching.Cell(LIMIT) as cell, folder() as state:
        with seep.Daemon(*TICK, state_dir=state, check=False) as daemon, \
                seep.Workload("service", "--clean", wait=False, preexec_fn=cell.enter) as workload:
            key = daemon.track(workload.pid)
            for limit in (LIMIT, LIMIT // 2, 4 * LIMIT, LIMIT // 2, LIMIT):
                cell.set_limit(limit)
                seep.wait_equal(lambda: daemon.target(key)["limit_bytes"], limit, "limit")
                seen = daemon.target(key)["coverage"]["allocations_seen"]
                seep.wait_until(lambda seen=seen: daemon.target(key)["coverage"][
                    "allocations_seen"] >= seen + CLEAN_REQUESTS // 5, "requests",
                    deadline=TOLD_SECONDS)
            seep.equal([l["frames"] for l in daemon.leaks() if l["told"]], [], "alerts")
            seep.equal(daemon.stop(), 0, "exit status")


def test_kill_after_an_alert():
    """The next seepd knows it as open and does not tell it again."""
    with folder() as state:
        with Watched(state) as life:
            leak = life.check_told()
            life.daemon.process.kill()
            life.daemon.process.wait(seep.DEADLINE)
            with seep.Daemon(*TICK, state_dir=state, check=False) as after:
                found = after.get(f"/v1/leaks/{leak['id']}")
                seep.equal((found["closed_at"], found["opened_at"]), (None, leak["opened_at"]),
                           "the alert after the kill")
                key = after.track(life.workload.pid, limit_bytes=LIMIT)
                seep.wait_equal(lambda: [l["id"] for l in after.leaks(target=key)
                                         if l["told"] and l["state"] == "leaking"],
                                [leak["id"]], "it is the process's again", TOLD_SECONDS)
                found = after.get(f"/v1/leaks/{leak['id']}")
                seep.equal((found["closed_at"], found["opened_at"]), (None, leak["opened_at"]),
                           "the alert, told again by the detector")
                after.check_told_once(leak["id"], judged_anew=True)
                seep.equal(after.stop(), 0, "exit status")


if __name__ == "__main__":
    seep.main(globals())
