#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks are right, frame by frame, against what programs know of themselves.

The programs tests/workloads/stack_* keep the true chain of callers of each block, and what glibc's
backtrace() says of it. They are built with many compilers and options.
"""

import contextlib
import ctypes
import os
import shutil
import struct
import subprocess
import sys
import tempfile

import seep

sys.path.append(os.path.join(seep.ROOT, "tests/stacks"))
from truth import (FRAMES, VARIANTS, Variant, all_names, build, chain_of, check, check_source,
                   is_ours, of_size, places, problems_of, problems_of_case, run, show,
                   variants)  # noqa: E402


def test_frames():
    check_source("stack_frames.c", VARIANTS, 15)


def test_callbacks():
    check_source("stack_callbacks.c", variants(
        "gcc-O0", "gcc-O2", "gcc-O3", "clang-O2", "gcc-static", "gcc-static-pie",
        "clang-debug-frame", "clang-frame-pointer", "gcc-frame-pointer"), 12)


def test_cxx():
    check_source("stack_cxx.cc", variants(
        "gcc-O0", "gcc-O2", "gcc-O3", "gcc-Os", "gcc-lto", "gcc-static", "gcc-static-pie",
        "clang-O0", "clang-O2", "clang-O3"), 13)


# What the timer's signal may have interrupted, innermost first.
IN_CODE = [["s_spin", "main"]] + [
    chain + ["s_spin", "main"] for chain in (
        ["s_work"], ["s_work_leaf", "s_work"], ["s_work_realigned"],
        ["s_work_leaf", "s_work_realigned"], ["s_work", "s_work_realigned"],
        ["s_work_leaf", "s_work", "s_work_realigned"])]
IN_CLOCK = [["s_clock", "main"]]


def problems_of_timer(report, size, chains, signals):
    names = {"main"}
    found = []
    count = 0
    met = set()
    for site in of_size(report, size):
        count += site["allocated_count"]
        got = chain_of(site, names)
        if got[:1] != ["s_tick"] or got[1:] not in chains:
            found.append(f"no such chain: {show(site)}")
        elif site["stack_status"] != "complete":
            found.append(f"{site['allocated_count']} times: {show(site)}")
        met.add(tuple(got[1:]))
    if count < signals:
        found.append(f"{count} blocks of {size} bytes, in truth {signals} or one more")
    return found, met


def test_timer():
    """A signal handler allocates, whatever instruction was interrupted."""
    signals = 1009
    found = []
    for variant in variants("gcc-O0", "gcc-O2", "gcc-Os", "clang-O2", "gcc-static",
                            "clang-debug-frame"):
        truth, report = run(build("stack_timer.c", variant), str(signals))
        in_code, met = problems_of_timer(report, truth["in_code"], IN_CODE, signals)
        in_clock, _ = problems_of_timer(report, truth["in_clock"], IN_CLOCK, signals)
        found += [f"{variant.name}: {p}" for p in in_code + in_clock]
        if len(met) < 4:
            found.append(f"{variant.name}: only {met} were interrupted")
    check(found)


def build_plugins(variant):
    return [build("plugin.c", variant, "-shared", "-fPIC", f"-D{which}", name=which.lower() + ".so")
            for which in ("FIRST", "SECOND")]


def test_plugins():
    """Libraries that come and go, at the same address, with nobody waiting for seep."""
    found = []
    for variant in variants("gcc-O0", "gcc-O2", "clang-O2"):
        # seep has to get to run meanwhile: on a busy machine that takes more rounds.
        for rounds in (101, 1009, 5003):
            problems, whole = run_plugins(variant, rounds)
            is_enough = min(whole.values()) >= rounds // 2
            if problems or is_enough:
                break
        found += [f"{variant.name}: {p}" for p in problems]
        if not is_enough:
            found.append(f"{variant.name}: whole stacks by size {whole} of {rounds}")
    check(found)


def run_plugins(variant, rounds):
    program = build("stack_plugins.c", variant, "-rdynamic")
    truth, report = run(program, str(rounds), *build_plugins(variant))
    seep.equal(truth["moves"], 0, "times that a library was at another address")
    seep.equal([c["count"] for c in truth["cases"]], [rounds] * 6, "blocks of each size")
    return problems_of_plugins(truth, report, variant)


# Of the first rounds, until a library's table is there.
CUT = ("no_table", "no_mapping")


def problems_of_plugins(truth, report, variant):
    """Whatever is seen is true. In the first rounds a library's table is not there yet: then sites
    of the same beginning are one."""
    names = all_names(truth)
    found = []
    count = 0
    whole = dict.fromkeys((c["bytes"] for c in truth["cases"]), 0)
    for site in report["sites"]:
        got = chain_of(site, names)
        if not got or not is_ours(site["frames"][0], names):
            continue
        count += site["allocated_count"]
        cases = [c for c in truth["cases"] if c["chain"][:len(got)] == got]
        if site["stack_status"] not in CUT:
            cases = [c for c in cases if site["allocated_bytes"] == c["bytes"] *
                     site["allocated_count"]]
            found += [p for c in cases[:1] for p in problems_of_case(c, site, names, variant)]
            for case in cases[:1]:
                whole[case["bytes"]] += site["allocated_count"]
        sizes = [c["bytes"] for c in cases]
        if not sizes or not min(sizes) <= site["average_bytes"] <= max(sizes):
            found.append(f"{site['allocated_count']} blocks, on average {site['average_bytes']} "
                         f"bytes: {show(site)}")
    expected = sum(c["count"] for c in truth["cases"])
    if count != expected:
        found.append(f"{count} blocks, in truth {expected}")
    return found, whole


def test_plugins_step_by_step():
    """The same when seep has had time to learn where each library lies."""
    variant, = variants("gcc-O2")
    rounds = 3
    program = build("stack_plugins.c", variant, "-rdynamic")
    with seep.Daemon("--max-frames", str(FRAMES)) as daemon:
        with seep.Workload("stack_plugins", rounds, *build_plugins(variant), "--step",
                           path=program) as workload:
            target = daemon.track(workload.pid)
            workload.poke()
            for step in range(2 * rounds):
                seep.equal(workload.read_line(), "step", "it has used a library")
                # 3 blocks each
                seep.wait_until(lambda: sum(
                    s["allocated_count"] for s in daemon.sites(target, by="stack")
                    if 60000 < s["average_bytes"] < 62000) == 3 * step + 3, f"blocks of {step}")
                workload.poke()
            truth = seep.last_json(workload.read_line())
            for case in truth["cases"]:
                case["trace"] = places(case, program)
            report = {"sites": daemon.sites(target, by="stack")}
            found, whole = problems_of_plugins(truth, report, variant)
            check(found)
            seep.equal([n >= rounds - 1 for n in whole.values()], [True] * 6,
                       f"all but the first are whole: {whole}")
            workload.end()


def ids_of(report, truth):
    """(site_id, leak_id) of each case."""
    return {c["bytes"]: sorted((s["site_id"], s["leak_id"]) for s in of_size(report, c["bytes"])
                               if s["stack_status"] == "complete")
            for c in truth["cases"]}


def test_ids():
    """The same on two runs at different addresses, and different for different stacks."""
    with open("/proc/sys/kernel/randomize_va_space", encoding="ascii") as f:
        if f.read().strip() == "0":
            raise seep.Skip("addresses are not randomized")
    variant, = variants("gcc-O2")
    program = build("stack_plugins.c", variant, "-rdynamic")
    plugins = build_plugins(variant)
    one, report_of_one = run(program, "1009", *plugins)
    two, report_of_two = run(program, "1009", *plugins)
    assert one["address"] != two["address"], "both runs were at the same address"
    ids = ids_of(report_of_one, one)
    for size, pairs in ids.items():
        seep.equal(len(pairs), 1, f"sites of {size} bytes")
    seep.equal(ids_of(report_of_two, two), ids, "ids of two runs")
    for which in (0, 1):
        seep.equal(len({pair[0][which] for pair in ids.values()}), len(ids), f"ids of {ids}")


def run_generated(how):
    variant, = variants("gcc-O2")
    truth, report = run(build("stack_jit.c", variant), how)
    os.unlink(f"/tmp/perf-{truth['pid']}.map")
    case, = truth["cases"]
    site, = of_size(report, case["bytes"])
    got = chain_of(site, all_names(truth))
    seep.equal(site["stack_status"], "jit", f"status: {show(site)}")
    assert got in (case["chain"][:1], case["chain"][:2]), f"chain: {show(site)}"


def test_generated_code():
    """Whether it keeps frame pointers is not known: that is said."""
    run_generated("frame")


def test_generated_code_without_frames():
    """Nobody knows the way on, and nobody guesses."""
    run_generated("bare")


GENERATED = ["s_back", "s_generated", "s_calls_generated", "main"]


def watch_generated(how, name, chain, status):
    """Until a stack is as expected. The first are cut: where the code lies is not known yet."""
    variant, = variants("gcc-O2")
    with seep.Daemon() as daemon, tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = shutil.copy(build("stack_jit.c", variant), os.path.join(folder, name))
        with seep.Workload(name, how, "--step", path=path) as workload:
            target = daemon.track(workload.pid)
            workload.poke()
            try:
                seep.wait_until(lambda: is_met(daemon, workload, target, (chain, status)),
                                f"a stack {chain}, {status}")
            finally:
                os.unlink(f"/tmp/perf-{workload.pid}.map")


def is_met(daemon, workload, target, expected):
    seep.equal(workload.read_line(), "step", "it has allocated")
    workload.poke()
    for site in daemon.sites(target, by="stack"):
        if is_ours(site["frames"][0], {"s_back"}):
            got = chain_of(site, set(GENERATED))
            assert got == GENERATED[:len(got)], f"not {GENERATED}: {show(site)}"
            if (got, site["stack_status"]) == expected:
                return True
    return False


def test_generated_code_is_named():
    """By the map that it writes, as long as it lives."""
    watch_generated("bare", "stack_jit", GENERATED[:2], "jit")


def test_generated_code_with_frames():
    """Of a runtime that is known to keep frame pointers."""
    watch_generated("frame", "node", GENERATED, "complete")


PERF_EVENT_OPEN = 298
UPROBE = "/sys/bus/event_source/devices/uprobe"


@contextlib.contextmanager
def foreign_return_probe(path, function):
    """Another tracer's return probe: it replaces the return address on the stack."""
    with open(f"{UPROBE}/type", encoding="ascii") as f:
        kind = int(f.read())
    # struct perf_event_attr: type, size, config (retprobe), ..., config1, config2
    name = ctypes.create_string_buffer(path.encode())
    attribute = struct.pack("=IIQQQQQIIQQ", kind, 72, 1, 0, 0, 0, 0, 0, 0,
                            ctypes.addressof(name), offset_of(path, function))
    libc = ctypes.CDLL(None, use_errno=True)
    # On one processor is enough: the breakpoint is in the code of all.
    fd = libc.syscall(PERF_EVENT_OPEN, attribute, -1, 0, -1, 8)
    assert fd >= 0, f"perf_event_open: {os.strerror(ctypes.get_errno())}"
    try:
        yield
    finally:
        os.close(fd)


def offset_of(path, function):
    """Of a function in a file whose code lies at its addresses."""
    symbols = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    return next(int(line.split()[0], 16) for line in symbols.splitlines()
                if line.split()[-1] == function)


def test_foreign_return_probes():
    """The true return address is not where it should be."""
    variant, = variants("gcc-O2")
    path = build("stack_frames.c", variant)
    found = []
    for function in ("s_leaf", "s_plain_inner", "s_alloca", "s_aligned", "main"):
        with foreign_return_probe(path, function):
            truth, report = run(path)
        # backtrace() is led astray, and what longjmp() leaves behind is the kernel's affair.
        seen = [c for c in truth["cases"] if c["chain"][:1] != ["s_noreturn"]]
        for case in seen:
            case["trace"] = []
        untraced = Variant("probed", "gcc", "", trace=False)
        found += [f"{function}: {p}" for p in problems_of({"cases": seen}, report, untraced)]
    check(found)


def test_many_libraries():
    """More of them than are published to the kernel's side."""
    variant, = variants("gcc-O2")
    program = build("stack_plugins.c", variant, "-rdynamic")
    plugin, _ = build_plugins(variant)
    count = 307
    with seep.Daemon("--max-frames", str(FRAMES), check=False) as daemon, \
            tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        for i in range(count):
            shutil.copy(plugin, os.path.join(folder, f"{i}.so"))
        with seep.Workload("stack_plugins", count, folder, "--keep", path=program) as workload:
            target = daemon.track(workload.pid)
            workload.poke()
            used = UsedAgain(daemon, workload, target, count)
            seep.wait_until(used.are_whole, f"whole stacks in {count} libraries", deadline=120)


BY_PLUGIN = [beginning + ["plugin_run", "s_call", "s_use_again", "main"]
             for beginning in (["s_first_inner", "s_first_outer"], ["s_callback"])]


class UsedAgain:
    """Libraries each of which has allocated three times when it was loaded, twice in each round."""

    def __init__(self, daemon, workload, target, count):
        self.daemon = daemon
        self.workload = workload
        self.target = target
        self.count = count
        self.total = 3 * count
        self.names = {name for chain in BY_PLUGIN for name in chain}
        seep.equal(workload.read_line(), "step", "all are loaded and used")
        self.before = self.whole()

    def whole(self):
        """Blocks of each chain whose stacks are whole, when all blocks have been seen."""
        sites = []

        def count():
            sites[:] = [s for s in self.daemon.sites(self.target, by="stack")
                        if is_ours(s["frames"][0], self.names)]
            return sum(s["allocated_count"] for s in sites)
        seep.wait_equal(count, self.total, "blocks")
        found = [0, 0]
        for site in sites:
            got = chain_of(site, self.names)
            if "s_use_again" in got:
                assert got in BY_PLUGIN, f"no such chain: {show(site)}"
                if site["stack_status"] == "complete":
                    found[BY_PLUGIN.index(got)] += site["allocated_count"]
        return found

    def are_whole(self):
        """Uses all once more: whether their tables are all there by now."""
        self.workload.poke()
        seep.equal(self.workload.read_line(), "step", "all are used again")
        self.total += 2 * self.count
        before, self.before = self.before, self.whole()
        return [a - b for a, b in zip(self.before, before)] == [self.count, self.count]


def musl(name, flags):
    if not shutil.which("musl-gcc"):
        raise seep.Skip("musl-gcc is not installed (musl-tools)")
    return Variant(name, "musl-gcc", flags, trace=False)


def problems_of_musl(truth, report, variant):
    """Its own code has no call frame information: a stack may end in the caller of main."""
    for site in report["sites"]:
        functions = [f["function"] for f in site["frames"]]
        if site["stack_status"] == "no_cfi" and functions[-2:-1] == ["main"]:
            site["stack_status"] = "complete"
    return problems_of(truth, report, variant)


def test_musl_static():
    """The allocator is in the program itself."""
    variant = musl("musl-static", "-O2 -static")
    truth, report = run(build("stack_frames.c", variant))
    check(problems_of_musl(truth, report, variant))


def test_musl():
    """The allocator is in the dynamic linker, which is the C library."""
    path = build("stack_frames.c", musl("musl", "-O2"))
    truth, report = run(path)
    if not report["target"]["coverage"]["allocations_seen"]:
        seep.equal(report["target"]["mode"], "watch", "it says that nothing is traced")
        raise seep.Skip("the allocator of musl is not traced in this version")
    check(problems_of_musl(truth, report, musl("musl", "-O2")))


if __name__ == "__main__":
    seep.main(globals())
