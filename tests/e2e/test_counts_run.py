#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Counts under "seepctl run" are exactly those that the command tells of itself."""

import os
import subprocess
import tempfile

import seep


def check_exact(name, *arguments, options=(), children=0):
    """Runs a workload and compares; returns its truth and the report."""
    command = [seep.workload_path(name), *arguments]
    result, report = seep.run_command(command, "--exact", "--by", "function", *options)
    seep.equal(result.status, 0, f"{name}: {result}")
    truth = seep.last_json(result.out)
    found = seep.only(seep.by_function(report["sites"]), truth["functions"])
    seep.equal(found, truth["functions"], f"figures of {name}")
    seep.check_nothing_lost(report["target"])
    seep.equal(report["target"]["coverage"]["from_start"], True, "seen from the start")
    seep.equal(len(report["children"]), children, "number of children")
    return truth, report


def check_totals(report):
    """The target's figures are the sums of its sites'."""
    target, sites = report["target"], report["sites"]
    for key in ("live_bytes", "live_count"):
        seep.equal(target[key], sum(s[key] for s in sites), f"{key} of target and sites")
    seep.equal(target["coverage"]["allocations_seen"], sum(s["allocated_count"] for s in sites),
               "allocations seen")
    seep.equal(target["coverage"]["frees_seen"],
               sum(s["freed_count"] for s in sites)
               + target["coverage"]["frees_of_unknown_blocks"], "frees seen")


def check_family(*options):
    truth, report = check_exact("exact_family", options=options)
    check_totals(report)
    coverage = report["target"]["coverage"]
    seep.equal(coverage["failed_allocations"], truth["failures"], "failed allocations")
    seep.equal(coverage["frees_of_unknown_blocks"], 0, "frees of unknown blocks")
    assert truth["in_place"] > 0, "no realloc was done in place"
    # Nested calls (realloc in reallocarray, aliases at one address) would show up as more.
    seep.equal(coverage["allocations_seen"],
               sum(f["allocated_count"] for f in truth["functions"].values()),
               "all allocations of the process are those of the family")


def test_family():
    check_family()


def test_family_by_perf_links():
    check_family("--links", "perf")


def test_family_by_multi_links():
    check_family("--links", "multi")


def test_threads():
    _, report = check_exact("threads8")
    check_totals(report)


def test_million():
    truth, report = check_exact("million")
    seep.equal(report["target"]["live_count"], 1000000, "a million blocks are live")
    seep.equal(truth["functions"]["fill"]["freed_count"], 99991, "a prime number was freed")


def test_exec():
    """Blocks of earlier images went with their memory."""
    path = seep.workload_path("exec_chain")
    result, report = seep.run_command([path], "--by", "stack")
    seep.equal(result.status, 0, f"exec_chain: {result}")
    figures = seep.last_json(result.out)["functions"]["allocate"]
    functions = {}
    for site in report["sites"]:
        for frame in site["frames"]:
            functions.setdefault(frame["function"], []).append(site)
    last = functions.get("third_image", [])
    seep.equal(sum(s["allocated_count"] for s in last), figures["allocated_count"], "third image")
    seep.equal(sum(s["live_bytes"] for s in last), figures["allocated_bytes"], "third image")
    assert "first_image" not in functions and "second_image" not in functions, \
        "blocks of an image that is gone are reported"
    seep.equal(report["children"], [], "an exec is no child")
    seep.check_nothing_lost(report["target"])


def test_children():
    truth, report = check_exact_parent()
    children = report["children"]
    seep.equal(len(children), 3, "one child by fork, one by vfork, one by posix_spawn")
    forked = [c for c in children if c["target"]["pid"] == truth["child"]]
    seep.equal(len(forked), 1, "the forked child")
    found = seep.by_function(forked[0]["sites"])
    seep.equal(found.get("child_allocate"), truth["functions"]["child_allocate"], "child's own")
    assert "parent_allocate" not in found, "inherited blocks were booked for the child"
    seep.equal(forked[0]["target"]["coverage"]["frees_of_unknown_blocks"],
               truth["freed_inherited"], "frees of inherited blocks")
    images = sorted(seep.by_function(c["sites"]).get("image_allocate", {}).get("allocated_count")
                    for c in children if c not in forked)
    seep.equal(images, sorted(truth["images"]), "children that executed another image")
    for child in children:
        seep.equal(child["target"]["parent"], report["target"]["id"], "parent of a child")
        seep.check_nothing_lost(child["target"])


def check_exact_parent():
    path = seep.workload_path("fork_inherit")
    result, report = seep.run_command([path], "--by", "function")
    seep.equal(result.status, 0, f"fork_inherit: {result}")
    truth = seep.last_json(result.out)
    found = seep.by_function(report["sites"])
    seep.equal(found.get("parent_allocate"), truth["functions"]["parent_allocate"], "the parent")
    assert "child_allocate" not in found, "the child's blocks were booked for the parent"
    seep.check_nothing_lost(report["target"])
    return truth, report


def test_storm_of_children():
    """Hundreds of short lives: each is seen from its first allocation to its last."""
    n = 211
    path = seep.workload_path("spawn_storm")
    result, report = seep.run_command([path, str(n)], "--by", "function")
    seep.equal(result.status, 0, f"spawn_storm: {result}")
    truth = seep.last_json(result.out)["functions"]
    seep.equal(seep.by_function(report["sites"]).get("parent_block"), truth["parent_block"],
               "the parent")
    seep.equal(len(report["children"]), n, "children")
    total = dict.fromkeys(seep.FIGURES, 0)
    for child in report["children"]:
        figures = seep.by_function(child["sites"]).get("child_blocks", {})
        for key in seep.FIGURES:
            total[key] += figures.get(key, 0)
        seep.check_nothing_lost(child["target"])
    seep.equal(total, truth["child_blocks"], "sum over all children")


def test_segv():
    path = seep.workload_path("segv")
    result, report = seep.run_command([path], "--by", "function")
    seep.equal(result.status, 128 + 11, f"segv: {result}")
    truth = seep.last_json(result.out)
    seep.equal(seep.by_function(report["sites"]).get("hold"), truth["functions"]["hold"],
               "blocks of a process that crashed")


def test_plugin():
    """A library that is loaded late and unloaded again: its frames keep their names."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        plugin = os.path.join(folder, "plugin.so")
        source = os.path.join(seep.ROOT, "tests/workloads/plugin/plugin.c")
        subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-g", source, "-o", plugin], check=True)
        check_exact("dlopen_late", plugin)


if __name__ == "__main__":
    seep.main(globals())
