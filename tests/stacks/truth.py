# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tests of stacks share: building the programs that know their own chains of callers
(tests/workloads/stack_*) in many ways, into build/stacks/, and comparing what seep says of them.
"""

import os
import re
import shutil
import subprocess

import seep

OUT = os.path.join(seep.BUILD, "stacks")
SOURCES = os.path.join(seep.ROOT, "tests/workloads")
PLUGINS = os.path.dirname(os.path.abspath(__file__))
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
    # Complete or not there, for whoever runs the tests at the same time.
    new = f"{path}.{os.getpid()}"
    command = [compiler, standard, *COMMON, *variant.flags, f"-I{SOURCES}",
               os.path.join(folder, source), *more, "-lpthread", "-ldl", "-o", new]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr[-2000:]}"
    for section in variant.strip:
        subprocess.run(["objcopy", f"--remove-section={section}", new], check=True)
    os.replace(new, path)
    return path


def run(path, *arguments, **more):
    """Returns what the program knows and what seep says."""
    result, report = seep.run_command([path, *arguments], "--exact", "--limit", "1000",
                                      "--max-frames", str(FRAMES), **more)
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


NOT_OURS = re.compile(r"_start$|shadow_|__static_init|_GLOBAL__|__cxx_global")


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


def problems_of(truth, report, variant):
    found = []
    names = all_names(truth)
    if not variant.walked:
        return problems_of_cut(truth, report, names)
    for case in truth["cases"]:
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
