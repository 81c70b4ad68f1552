#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Threads that preempt one another spoil no stack: each is one of the known ones.

PREEMPT_SECONDS=n: for so long; else five minutes with STACKS_LONG=1, or some seconds.
"""

import os
import sys

import seep

sys.path.append(os.path.join(seep.ROOT, "tests/stacks"))
from truth import chain_of, check, is_ours, run, show  # noqa: E402

SECONDS = int(os.environ.get("PREEMPT_SECONDS") or
              (300 if os.environ.get("STACKS_LONG") else 7))
CUT_SHARE = 0.005  # of stacks, while threads change the mappings


def problems_of_preemption(truth, report):
    """Every stack is a known one, or the beginning of one and says so; no block is missing."""
    found = []
    chains = {c["bytes"]: ["s_level"] * c["levels"] + ["s_chain", "s_work"]
              for c in truth["cases"]}
    whole = dict.fromkeys(chains, 0)
    cut = 0
    for site in report["sites"]:
        got = chain_of(site, set())
        if not is_ours(site["frames"][0], set()):
            continue
        size = site["allocated_bytes"] // site["allocated_count"]
        if site["stack_status"] == "complete":
            if got != chains.get(size) or not ends_at_start(site):
                found.append(f"{site['allocated_count']} of {size} bytes: {show(site)}")
            whole[size] = whole.get(size, 0) + site["allocated_count"]
            continue
        cut += site["allocated_count"]
        sizes = [n for n, chain in chains.items() if chain[:len(got)] == got]
        if not sizes or not min(sizes) <= size <= max(sizes):
            found.append(f"{site['allocated_count']} of {size} bytes: {show(site)}")
    expected = {c["bytes"]: c["count"] for c in truth["cases"]}
    total = sum(expected.values())
    print(f"# {total} stacks, {cut} cut", flush=True)
    if sum(whole.values()) + cut != total or any(whole[n] > expected[n] for n in expected):
        found.append(f"whole {whole}, cut {cut}, in truth {expected}")
    if cut > CUT_SHARE * total:
        found.append(f"{cut} of {total} stacks are cut")
    lost = seep.losses(report["target"])
    return found + ([f"lost: {lost}"] if lost else [])


def ends_at_start(site):
    """In the C library's two frames; their names are known only where its debug file is."""
    names = [(f["function"] or "").lstrip("_") for f in site["frames"]
             if os.path.basename(f["module"] or "").startswith("libc")]
    return len(names) == 2 and names[0] in ("start_thread", "") and names[1] in ("clone3", "")


def test_preemption():
    """Eight threads on few processors, as fast as they can, along known chains."""
    program = os.path.join(seep.BUILD, "workloads/stack_preempt")
    truth, report = run(program, str(SECONDS), timeout=4 * SECONDS + 240)
    check(problems_of_preemption(truth, report))


if __name__ == "__main__":
    seep.main(globals())
