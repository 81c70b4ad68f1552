#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks are right, frame by frame, against what programs know of themselves.

The programs tests/workloads/stack_* keep the true chain of callers of each block, and what glibc's
backtrace() says of it. They are built here with many compilers and options, into build/stacks/.
"""

import contextlib
import ctypes
import os
import re
import shutil
import struct
import subprocess
import tempfile

import seep

OUT = os.path.join(seep.BUILD, "stacks")
SOURCES = os.path.join(seep.ROOT, "tests/workloads")
PLUGINS = os.path.join(seep.ROOT, "tests/stacks")
COMMON = ["-D_GNU_SOURCE", "-g", "-Wno-unknown-attributes"]
FRAMES = 127  # the most that seep keeps


class Variant:
    """A way to build, and what can be expected of it."""

    def __init__(self, name, compiler, flags, *, trace=True, lines=True, walked=True, strip=()):
        self.name = name
        self.compiler = compiler
        self.flags = flags.split()
        self.trace = trace    # backtrace() finds its way
        self.lines = lines    # there is debug information
        self.walked = walked  # seep finds its way, too
        self.strip = strip    # sections that are taken out


NO_TABLE = "-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-exceptions"

VARIANTS = [
    Variant("gcc-O0", "gcc", "-O0"),
    Variant("gcc-O2", "gcc", "-O2"),
    Variant("gcc-O3", "gcc", "-O3 -fomit-frame-pointer"),
    Variant("gcc-Os", "gcc", "-Os"),
    Variant("gcc-cet", "gcc", "-O2 -fcf-protection=full -Wl,-z,lazy"),
    Variant("gcc-avx", "gcc", "-O3 -mavx"),
    Variant("gcc-lto", "gcc", "-O2 -flto=1"),
    Variant("gcc-no-pie", "gcc", "-O2 -no-pie -fno-pie"),
    Variant("gcc-gold", "gcc", "-O2 -fuse-ld=gold"),
    Variant("gcc-pushes", "gcc", "-O1 -mpush-args -foptimize-sibling-calls"),
    Variant("clang-O0", "clang", "-O0"),
    Variant("clang-O2", "clang", "-O2"),
    Variant("clang-O3", "clang", "-O3 -fomit-frame-pointer"),
    Variant("clang-no-debug", "clang", "-O2 -g0", lines=False),
    Variant("gcc-static", "gcc", "-O2 -static"),
    Variant("gcc-static-pie", "gcc", "-O2 -static-pie"),
    Variant("clang-static", "clang", "-O2 -static"),
    Variant("gcc-debug-frame", "gcc", f"-O2 {NO_TABLE}", trace=False),
    Variant("clang-debug-frame", "clang", f"-O2 {NO_TABLE}", trace=False),
    Variant("gcc-frame-pointer", "gcc", f"-O2 -fno-omit-frame-pointer {NO_TABLE}", trace=False,
            strip=[".debug_frame"]),
    Variant("clang-frame-pointer", "clang", f"-O2 -fno-omit-frame-pointer {NO_TABLE}",
            trace=False, strip=[".debug_frame"]),
    Variant("gcc-frame-pointer-O0", "gcc", f"-O0 -g0 {NO_TABLE}", trace=False, lines=False),
    Variant("gcc-no-cfi", "gcc", f"-O2 -fomit-frame-pointer {NO_TABLE}", trace=False,
            walked=False, strip=[".debug_frame"]),
    Variant("clang-no-cfi", "clang", f"-O2 -fomit-frame-pointer {NO_TABLE}", trace=False,
            walked=False, strip=[".debug_frame"]),
]


def build(source, variant, *more, name=None):
    """Returns the path of the program."""
    os.makedirs(OUT, exist_ok=True)
    stem = name or os.path.splitext(source)[0]
    path = os.path.join(OUT, f"{stem}.{variant.name}")
    compiler, standard = variant.compiler, "-std=gnu11"
    if source.endswith(".cc"):
        compiler = {"gcc": "g++", "clang": "clang++"}[compiler]
        standard = "-std=gnu++17"
    if not shutil.which(compiler):
        raise seep.Skip(f"{compiler} is not installed")
    folder = SOURCES if os.path.exists(os.path.join(SOURCES, source)) else PLUGINS
    inputs = [os.path.join(folder, source), os.path.join(SOURCES, "stack_shadow.h"), __file__]
    if os.path.exists(path) and os.path.getmtime(path) > max(map(os.path.getmtime, inputs)):
        return path
    command = [compiler, standard, *COMMON, *variant.flags, f"-I{SOURCES}",
               os.path.join(folder, source), *more, "-lpthread", "-ldl", "-o", path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr[-2000:]}"
    for section in variant.strip:
        subprocess.run(["objcopy", f"--remove-section={section}", path], check=True)
    return path


def run(path, *arguments, options=(), **more):
    """Returns what the program knows and what seep says."""
    result, report = seep.run_command([path, *arguments], "--exact", "--limit", "1000",
                                      "--max-frames", str(FRAMES), *options, **more)
    seep.equal(result.status, 0, f"{path}: {result}")
    truth = seep.last_json(result.out)
    for case in truth["cases"]:
        case["trace"] = places(case, path)
    return truth, report


def places(case, path):
    """backtrace()'s (module, offset); the program's own name it does not know."""
    return [(m or os.path.basename(path), o) for m, o in case.get("trace", [])]


def of_size(report, size):
    """Sites all of whose blocks have this size."""
    return [s for s in report["sites"]
            if s["allocated_count"] and s["allocated_bytes"] == size * s["allocated_count"]]


NOT_OURS = re.compile(r"_start$|shadow_|__static_init|_GLOBAL__|__cxx_global|_dl_relocate_static_pie$")


def is_ours(frame, names):
    """Of the program's own source, not of a library, wherever that is linked in."""
    function = short_name(frame["function"])
    if NOT_OURS.match(function):
        return False
    if frame["file"]:
        return os.path.basename(frame["file"]).startswith(("stack_", "plugin."))
    return function in names or function.startswith("s_")


def short_name(function):
    """a::b<int>::s_name(unsigned long) const -> s_name"""
    function = re.sub(r"\[clone [^]]*\]|\.(part|cold|constprop|isra|lto_priv|llvm)\b[.\d]*", "",
                      function or "").strip()
    if re.search(r"(^|::)operator\(\)", function):
        return "operator()"
    function = re.sub(r"\(anonymous namespace\)", "", function)
    function = re.sub(r"\(.*", "", function)
    while "<" in function:
        shorter = re.sub(r"<[^<>]*>", "", function)
        if shorter == function:
            break
        function = shorter
    return function.rsplit("::", 1)[-1].split()[-1] if function.split() else ""


def chain_of(site, names):
    return [short_name(f["function"]) for f in site["frames"] if is_ours(f, names)]


def physical_of(site):
    """(module, offset) of the frames that are really on the stack."""
    return [(os.path.basename(f["module"] or "?"), f["offset"]) for f in site["frames"]
            if f["kind"] == "native"]


def show(site):
    names = [f"{f['function']}{'*' if f['kind'] == 'inlined' else ''}" for f in site["frames"]]
    if len(names) > 23:
        names[13:-7] = ["..."]
    return f"{' < '.join(names)} ({site['stack_status']})"


def all_names(truth):
    return {name for case in truth["cases"] for name in case["chain"]}


def problems_of_case(case, site, names, variant):
    """What of a site differs from the truth, as sentences."""
    chain = case["chain"]
    if not variant.lines:
        chain = [n for n in chain if not n.startswith("s_inlined_")]
    got = chain_of(site, names)
    status = site["stack_status"]
    found = []
    # A deep chain is cut after the innermost frames: whatever is there must be the truth.
    deep = len(physical_of(site)) == FRAMES and status == "depth"
    if deep and got != chain[:len(got)]:
        found.append(f"chain {got} is not the beginning of the truth")
    if not deep:
        if status != "complete":
            found.append(f"status {status}")
        if got != chain:
            found.append(f"chain {got}, in truth {chain}")
    if variant.lines and site["frames"]:
        line = next((f["line"] for f in site["frames"] if is_ours(f, names)), None)
        if line != case["line"]:
            found.append(f"line {line}, in truth {case['line']}")
    if variant.trace and not found:
        found += problems_of_trace(case, site, names, deep)
    return [f"{'; '.join(found)}: {show(site)}"] if found else []


def problems_of_trace(case, site, names, deep):
    """Behind the function that allocates, addresses are those of backtrace()."""
    frames = site["frames"]
    first = next(i for i, f in enumerate(frames) if is_ours(f, names))
    while frames[first]["kind"] != "native":
        first += 1
    skip = sum(f["kind"] == "native" for f in frames[:first + 1])
    got = physical_of(site)[skip:]
    # The innermost is in the function that allocates, but not at the same call.
    expected = case["trace"][1:]
    if deep:
        expected = expected[:len(got)]
    return [] if got == expected else [f"addresses {got[:9]}, backtrace() {expected[:9]}"]


def problems_of_cut(truth, report, names):
    """Where no way leads on: whatever is there is the truth, and says that it is not all of it."""
    chains = [c["chain"] for c in truth["cases"]]
    found = []
    got_bytes = 0
    for site in report["sites"]:
        got = chain_of(site, names)
        if not got or not is_ours(site["frames"][0], names):
            continue
        got_bytes += site["allocated_bytes"]
        whole = got in chains
        if not whole and got not in [c[:len(got)] for c in chains]:
            found.append(f"no function calls so: {show(site)}")
        if site["stack_status"] == "complete" and not whole:
            found.append(f"it claims to be complete: {show(site)}")
    expected = sum(c["bytes"] * c["count"] for c in truth["cases"])
    if got_bytes != expected:
        found.append(f"{got_bytes} bytes are ours, in truth {expected}")
    return found


def problems_of(truth, report, variant, skip=()):
    found = []
    names = all_names(truth)
    if not variant.walked:
        return problems_of_cut(truth, report, names)
    for case in truth["cases"]:
        if case["bytes"] in skip:
            continue
        where = f"{case['bytes']} {' < '.join(case['chain'][:4])}"
        sites = of_size(report, case["bytes"])
        if len(sites) != 1:
            found.append(f"{where}: {len(sites)} sites: {[show(s) for s in sites]}")
            continue
        if sites[0]["allocated_count"] != case["count"]:
            found.append(f"{where}: {sites[0]['allocated_count']} blocks of {case['count']}")
        found += [f"{where}: {p}" for p in problems_of_case(case, sites[0], names, variant)]
    lost = seep.losses(report["target"])
    if lost:
        found.append(f"lost: {lost}")
    return found


SHOWN = 31  # differences, of each test


def check(found):
    # Those of one variant stand together: some of each are shown.
    shown = found if len(found) <= SHOWN else found[::len(found) // SHOWN + 1]
    assert not found, f"{len(found)} differences:\n   " + "\n   ".join(shown)


def variants(*names):
    assert set(names) <= {v.name for v in VARIANTS}, f"one of {names} is not known"
    return [v for v in VARIANTS if v.name in names]


def check_source(source, chosen, least):
    """Builds and runs a program in many ways; it has to know of @least blocks."""
    found = []
    for variant in chosen:
        truth, report = run(build(source, variant))
        assert len(truth["cases"]) >= least, f"{variant.name}: cases of {truth}"
        found += [f"{variant.name}: {p}" for p in problems_of(truth, report, variant)]
    check(found)


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
    rounds = 101
    found = []
    for variant in variants("gcc-O0", "gcc-O2", "clang-O2"):
        program = build("stack_plugins.c", variant, "-rdynamic")
        truth, report = run(program, str(rounds), *build_plugins(variant))
        seep.equal(truth["moves"], 0, "times that a library was at another address")
        seep.equal([c["count"] for c in truth["cases"]], [rounds] * 6, "blocks of each size")
        problems, whole = problems_of_plugins(truth, report, variant)
        found += [f"{variant.name}: {p}" for p in problems]
        if min(whole.values()) < rounds // 2:
            found.append(f"{variant.name}: whole stacks by size {whole} of {rounds}")
    check(found)


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
    one, report_of_one = run(program, "101", *plugins)
    two, report_of_two = run(program, "101", *plugins)
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
    """Until a stack is as expected. The first ones are cut: where the code lies is not known yet."""
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
            seep.equal(workload.read_line(), "step", "all are loaded and used")
            # Each has allocated three times.
            seep.wait_until(lambda: daemon.target(target)["live_count"] >= 3 * count, "blocks")
            truth = workload.go()
            check_many(daemon, target, truth, count)
            workload.end()


def check_many(daemon, target, truth, count):
    """The second time all tables are there: every library has two stacks, and they are whole."""
    names = all_names(truth)
    tail = ["plugin_run", "s_call", "s_use_again", "main"]
    expected = {tuple(beginning + tail): count
                for beginning in (["s_first_inner", "s_first_outer"], ["s_callback"])}

    def whole():
        found = {}
        for site in daemon.sites(target, by="stack", include="s_use_again"):
            if site["stack_status"] == "complete":
                chain = tuple(chain_of(site, names))
                found[chain] = found.get(chain, 0) + site["allocated_count"]
        return found
    seep.wait_equal(whole, expected, "blocks by chain")


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


def problems_of_preemption(truth, report):
    """Every stack is a known one, and each of them has all of its blocks."""
    found = []
    levels = {c["bytes"]: c["levels"] for c in truth["cases"]}
    counts = dict.fromkeys(levels, 0)
    for site in report["sites"]:
        got = chain_of(site, set())
        if "pthread_create" in [f["function"] for f in site["frames"]]:
            continue
        size = site["allocated_bytes"] // site["allocated_count"]
        chain = ["s_level"] * levels.get(size, 0) + ["s_chain", "s_work"]
        if size not in levels or got != chain or site["stack_status"] != "complete":
            found.append(f"{site['allocated_count']} of {size} bytes: {show(site)}")
            continue
        if chain_ends(site) != ["start_thread", "clone3"]:
            found.append(f"the end of a thread: {show(site)}")
        counts[size] += site["allocated_count"]
    expected = {c["bytes"]: c["count"] for c in truth["cases"]}
    if counts != expected:
        found.append(f"blocks of each size {counts}, in truth {expected}")
    lost = seep.losses(report["target"])
    return found + ([f"lost: {lost}"] if lost else [])


def chain_ends(site):
    return [f["function"].lstrip("_") for f in site["frames"]
            if os.path.basename(f["module"] or "").startswith("libc")][-2:]


def test_preemption():
    """Eight threads on few processors, as fast as they can, along known chains."""
    seconds = 300 if os.environ.get("STACKS_LONG") else 7
    variant, = variants("gcc-O2")
    path = build("stack_preempt.c", variant, "-fno-optimize-sibling-calls")
    truth, report = run(path, str(seconds), timeout=4 * seconds + 60)
    check(problems_of_preemption(truth, report))
    print(f"# {sum(c['count'] for c in truth['cases'])} stacks in {seconds} s")


if __name__ == "__main__":
    seep.main(globals())
