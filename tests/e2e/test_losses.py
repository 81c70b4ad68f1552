#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is not seen is counted, by reason and exactly; and the other figures stay right."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile

import seep


def seen(daemon, key):
    """(allocations seen, losses) after the last tick."""
    target = daemon.target(key)
    return target["coverage"]["allocations_seen"], seep.losses(target)


@contextlib.contextmanager
def stopped(process):
    """A process that does not get to run meanwhile."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


def test_full_live_map():
    room, n, freed = 1024, 5003, 101
    with seep.Daemon("--max-blocks", str(room)) as daemon, \
            seep.Workload("twins", n, freed) as workload:
        key = daemon.track(workload.pid)
        workload.go()
        daemon.wait_tick()
        # Nothing but the map's size decides: as many as it holds were taken, the rest was counted.
        seep.wait_equal(lambda: seen(daemon, key), (room, {"live_full": n - room}),
                        "blocks taken and lost")
        target = daemon.target(key)
        seep.equal(target["live_count"], room - freed, "live blocks")
        seep.equal(target["live_bytes"], 48 * (room - freed), "live bytes")
        seep.equal(target["coverage"]["frees_of_unknown_blocks"], 0, "the freed ones were taken")
        workload.end()
        # The room is there again when the target is gone.
        daemon.wait_gone()
        with seep.Workload("twins", 1009, 11) as other:
            key = daemon.track(other.pid)
            other.go()
            seep.wait_equal(lambda: seen(daemon, key), (1009, {}), "blocks of the next target")
            other.end()


def test_full_live_map_then_frees():
    """Frees of blocks that were not taken are counted as such, and touch no other block."""
    room, n = 512, 2003
    with seep.Daemon("--max-blocks", str(room)) as daemon, \
            seep.Workload("twins", n, n) as workload:
        key = daemon.track(workload.pid)
        workload.go()
        daemon.wait_tick()
        seep.wait_equal(lambda: seen(daemon, key), (room, {"live_full": n - room}),
                        "blocks taken and lost")
        target = daemon.target(key)
        seep.equal((target["live_count"], target["live_bytes"]), (0, 0), "nothing is live")
        seep.equal(target["coverage"]["frees_of_unknown_blocks"], n - room, "unknown frees")
        seep.equal(target["coverage"]["frees_seen"], n, "frees seen")
        workload.end()


def test_full_sites_map():
    """More call stacks than there is room for: blocks of those without a site are counted."""
    with seep.Daemon("--max-sites", "16") as daemon, seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        daemon.wait_tick()
        total = sum(f["allocated_count"] for f in truth["functions"].values())

        def sum_of_all():
            taken, lost = seen(daemon, key)
            return taken + sum(lost.values())
        seep.wait_equal(sum_of_all, total, "blocks taken and lost")
        _, lost = seen(daemon, key)
        assert lost and set(lost) <= {"sites_full", "stacks_full"}, f"losses are {lost}"
        figures = seep.by_function(daemon.sites(key))
        # A site that is there at all is whole, unless some of its blocks came by other stacks.
        assert figures["call_malloc"] == truth["functions"]["call_malloc"], "the first site"
        workload.end()


def test_full_threads_map():
    with seep.Daemon("--max-threads", "16") as daemon, \
            seep.Workload("churn", 61, wait=False) as workload:
        workload.poke()
        seep.equal(workload.read_line(), "alive", "it runs")
        key = daemon.track(workload.pid)
        seep.wait_until(lambda: seen(daemon, key)[1].get("threads_full", 0) > 0,
                        "calls of threads without room are counted")
        workload.poke()
        seep.equal(workload.read_line(), "alive", "it runs on")


def test_unreadable_stack():
    with seep.Daemon() as daemon, seep.Workload("unreadable_stack") as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        functions = truth["functions"]
        daemon.wait_tick()
        seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions),
                        functions, "figures")
        count = functions["allocate_below"]["allocated_count"]
        target = daemon.target(key)
        seep.equal(seep.losses(target), {"stack_unreadable": count}, "losses")
        seep.equal(target["coverage"]["truncated_stacks"]["read_fault"], count, "cut stacks")
        site = next(s for s in daemon.sites(key, by="stack")
                    if s["frames"][0]["function"] == "allocate_below")
        seep.equal(site["stack_status"], "read_fault", "why it was cut")
        seep.equal([f["function"] for f in site["frames"]], ["allocate_below", "spanning_frame"],
                   "frames up to there")
        workload.end()


def test_depth():
    """A stack that is deeper than the limit says so."""
    path = seep.workload_path("callers")
    _, report = seep.run_command([path], "--max-frames", "2")
    cut = [s for s in report["sites"] if s["frames"][0]["function"] == "caller_malloc"]
    seep.equal(len(cut), 1, "sites of caller_malloc")
    seep.equal((cut[0]["stack_status"], len(cut[0]["frames"])), ("depth", 2), "the cut stack")
    assert report["target"]["coverage"]["truncated_stacks"]["depth"] >= 103, "cut stacks"


def check_parent(daemon, key, truth):
    parent = {"parent_block": truth["functions"]["parent_block"]}
    seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), parent), parent,
                    "figures of the parent")


def test_lost_notes():
    """The daemon stands still while hundreds of children come and go."""
    with seep.Daemon("--ring-size", "4096") as daemon, \
            seep.Workload("spawn_storm", 211) as workload:
        key = daemon.track(workload.pid, follow=True)
        with stopped(daemon.process):
            truth = workload.go()
        seep.wait_until(lambda: seen(daemon, key)[1].get("note", 0) > 0, "lost notes are counted")
        seep.equal(set(seen(daemon, key)[1]), {"note"}, "kinds of losses")
        check_parent(daemon, key, truth)
        # All children are gone, whether their notes came or not.
        seep.wait_equal(lambda: [t["pid"] for t in daemon.targets()], [workload.pid],
                        "targets that are left")
        seep.equal(daemon.target(key)["state"], "traced", "state of the parent")
        workload.end()
        daemon.wait_gone()


def test_lost_notes_leave_no_ghosts():
    """What children that nobody heard of left in the kernel's maps is swept out."""
    with seep.Daemon("--ring-size", "4096", "--max-blocks", "1024", "--max-sites", "64") as daemon:
        for _ in range(3):
            with seep.Workload("spawn_storm", 211) as workload:
                daemon.track(workload.pid, follow=True)
                with stopped(daemon.process):
                    workload.go()
                workload.end()
                daemon.wait_gone()
        def room_is_back():
            with seep.Workload("twins", 1009, 11) as other:
                key = daemon.track(other.pid)
                other.go()
                seep.wait_until(lambda: sum(seen(daemon, key)[1].values())
                                + seen(daemon, key)[0] == 1009, "all blocks are accounted for")
                result = seen(daemon, key)
                other.end()
                daemon.wait_gone()
                return result
        seep.wait_equal(room_is_back, (1009, {}), "what a new target can have")


def test_lost_exec_and_exit():
    """An exec whose note was lost: the new image is followed; an exit: it is seen."""
    with seep.Daemon("--ring-size", "4096") as daemon, \
            seep.Workload("spawn_storm", 211) as storm, \
            seep.Workload("exec_chain") as workload:
        daemon.track(storm.pid, follow=True)
        daemon.track(workload.pid)
        with stopped(daemon.process):
            storm.go()
            workload.go()
            storm.end()

        def third_image():
            target = daemon.find(workload.pid)
            if not target or target["state"] != "traced":
                return None
            return sum(s["allocated_count"] for s in daemon.sites(target["id"], by="stack")
                       if s["average_bytes"] == 96)
        # Whichever stacks could be walked: the blocks of 96 bytes are the third image's.
        seep.wait_equal(third_image, 307, "blocks of the last image")
        seep.wait_until(lambda: daemon.find(storm.pid) is None, "the one that exited is gone")
        workload.end()


def test_lost_notes_of_a_command():
    """seepctl run stands still while the command's children come and go."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "report.json")
        process = subprocess.Popen(
            [seep.SEEPCTL, "run", "-j", "-o", path, "--by", "function", "--ring-size", "4096", "--",
             seep.workload_path("spawn_storm"), "211", "--wait"], bufsize=0,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=seep.die_with_parent, env=seep.environment())
        seep.equal(process.stdout.readline(), b"ready\n", "the command waits")
        with stopped(process):
            process.stdin.write(b"x")
            ready, _, _ = select.select([process.stdout], [], [], 60)
            assert ready, "the command does not go on"
            truth = json.loads(process.stdout.readline())
        _, err = process.communicate(timeout=60)
        seep.equal(process.returncode, 0, f"exit status: {err}")
        with open(path, encoding="utf-8") as f:
            report = json.load(f)
        seep.equal(seep.by_function(report["sites"]).get("parent_block"),
                   truth["functions"]["parent_block"], "figures of the parent")
        assert seep.losses(report["target"]).get("note", 0) > 0, "lost notes are counted"


def test_too_many_targets():
    with seep.Daemon("--max-targets", "2") as daemon, contextlib.ExitStack() as stack:
        workloads = [stack.enter_context(seep.Workload("twins", 11, 3)) for _ in range(3)]
        for w in workloads[:2]:
            daemon.track(w.pid)
        response = daemon.request("POST", "/v1/targets", {"selector": str(workloads[2].pid)})
        seep.equal((response.status, response.code), (409, "too_many_targets"), "the third one")
        seep.equal(sorted(t["pid"] for t in daemon.targets()),
                   sorted(w.pid for w in workloads[:2]), "targets")
        workloads[0].go()
        workloads[0].end()
        seep.wait_until(lambda: daemon.find(workloads[0].pid) is None, "one is gone")
        daemon.track(workloads[2].pid)


if __name__ == "__main__":
    seep.main(globals())
