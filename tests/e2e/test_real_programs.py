#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What make eval-real watches is seen as it is: leakgen's truth, and blocks that ld-unfree.so keeps."""

import json
import os
import tempfile

import seep

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


seep.main(globals(), requires=(LEAKGEN, UNFREE))
