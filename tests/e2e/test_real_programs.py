#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What make eval-real watches is seen as it is: leakgen's truth, and what is not freed of servers."""

import json
import os
import sys
import tempfile

import seep

sys.path.insert(0, os.path.join(seep.ROOT, "tests", "eval"))
import real  # noqa: E402 pylint: disable=wrong-import-position
import services  # noqa: E402 pylint: disable=wrong-import-position
import watching  # noqa: E402 pylint: disable=wrong-import-position

MINUTES = 150  # of a server's load
MINUTE_MS = 20

LEAKGEN = os.path.join(seep.BUILD, "eval", "leakgen")
UNFREE = os.path.abspath(os.path.join(seep.BUILD, "eval", "ld-unfree.so"))
FAMILIES = ("L11", "L13", "L23", "N03", "N21")


def live_of(daemon, target):
    found = seep.by_function(daemon.sites(target))
    return {name: f["allocated_bytes"] - f["freed_bytes"] for name, f in found.items()
            if name.endswith("_new")}


def test_truth_of_leakgen():
    """At the end of 30 hours the live bytes of each function are those that it tells."""
    with seep.Daemon(check=False) as daemon:
        for family in FAMILIES:
            with seep.Workload("leakgen", family, "--minute", 0, "--life", 1801, "--every", 1801,
                               "--seed", 3, path=LEAKGEN) as w:
                target = daemon.track(w.pid)
                w.poke()
                begin = json.loads(w.read_line())
                truth = [json.loads(w.read_line()) for _ in range(6)]
                seep.equal(json.loads(w.read_line())["end"], "life", f"the end of {family}")
                expected = {x["function"]: x["live_bytes"] for x in truth if x["live_bytes"]}
                assert expected.get(begin["function"]), f"{family} allocates: {expected}"
                seep.wait_equal(
                    lambda t=target: {k: v for k, v in live_of(daemon, t).items() if v}, expected,
                    f"live bytes of {family}")
                seep.check_nothing_lost(daemon.target(target))
                seep.equal(w.end(), 0, f"exit status of {family}")


def balanced(daemon, environment):
    """Sites of the planted function by stack, and by function, when all has been done."""
    with seep.Workload("balanced", 10007, 2, env=environment) as w:
        target = daemon.track(w.pid)
        w.go()
        daemon.wait_tick()

        def all_seen():
            found = seep.by_function(daemon.sites(target)).get("deeper")
            return found and found["allocated_count"] == 4 * 10007
        seep.wait_until(all_seen, "all allocations are seen")
        stacks = [s for s in daemon.sites(target, by="stack")
                  if any(f["function"] == "planted_new" for f in s["frames"])]
        functions = seep.by_function(daemon.sites(target))
        seep.equal(w.end(), 0, "exit status of balanced")
    return stacks, functions


def test_kept_blocks_are_at_the_stacks_of_the_others():
    """What ld-unfree.so keeps is not told from what it frees by anything but that it stays."""
    with seep.Daemon(check=False) as daemon, tempfile.TemporaryDirectory() as folder:
        clean, functions = balanced(daemon, seep.environment())
        seep.equal(sum(s["live_count"] for s in clean), 0, "live without a leak")
        path = os.path.join(folder, "dropped")
        planted, functions = balanced(daemon, seep.environment(
            LD_PRELOAD=UNFREE, UNFREE_FUNCTION="planted_new", UNFREE_SHARE="0.1",
            UNFREE_REPORT=path))
        with open(os.path.join(folder, os.listdir(folder)[0]), encoding="ascii") as f:
            report = json.load(f)
    seep.equal(len(planted), len(clean), "stacks with the function")
    figures = functions["deeper"]
    stays = report["dropped_count"] - report["moved_by_realloc"]
    assert 800 < stays < 3200, f"{report}"
    seep.equal(figures["allocated_count"] - figures["freed_count"], stays,
               "live blocks where they were allocated")
    resized = functions["other_resize"]
    seep.equal(resized["allocated_count"] - resized["freed_count"], report["moved_by_realloc"],
               "live blocks where they were moved to")


def planted_sites(daemon, planted):
    return [s for t in daemon.targets() for s in daemon.sites(t["id"], by="stack")
            if any(planted.is_in(f) for f in s["frames"])]


def check_planted(kind):
    """What is not freed is live, at stacks with the function, in a process with the cell's limit."""
    why = watching.why_no_cell() or kind.why_not()
    if why:
        raise seep.Skip(why)
    planted = kind.planted()
    with seep.Daemon(check=False) as daemon, real.Folder() as folder, \
            watching.Cell(kind.limit_mib << 20) as cell:
        service = kind(folder, real.service_environment(kind, planted, folder, 1), cell.enter)
        with service.running():
            key = daemon.track(cell.selector if kind.renews else service.pid(),
                               follow=kind.renews)
            seep.equal(daemon.target(key)["limit_bytes"], kind.limit_mib << 20, "the limit")
            assert real.do_minutes(service, MINUTE_MS, MINUTES, lambda _: None), service.log()
            dropped = real.dropped_bytes(folder)
            assert dropped > 0 or kind is services.Redis, "nothing was kept from being freed"

            def is_live():
                sites = planted_sites(daemon, planted)
                # What can be used of a block is more than what was asked for.
                return sites and sum(s["live_bytes"] for s in sites) > 0.8 * dropped
            seep.wait_until(is_live, f"{dropped} bytes live at the function")


for each in services.ALL:
    globals()[f"test_planted_in_{each.name}"] = lambda kind=each: check_planted(kind)


seep.main(globals(), requires=(LEAKGEN, UNFREE))
