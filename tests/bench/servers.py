#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What real programs lose of their throughput under seep's default, and under its peers.

Each program is measured without and with a tracer in turns. A window begins as soon as the tracer
is attached, so that what a tracer does at first is part of it. The loss is that of the medians;
its interval comes from resampling the rounds (the bootstrap, 95 %). CPU per operation is the
program's own: where the load generator is the limit, throughput alone would hide a cost.
"""

import argparse
import contextlib
import os
import platform
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time

import programs
from programs import seep

RESAMPLES = 10000
MEMLEAK = ("memleak-libbpf", "memleak")
ALLOCATORS = ("libjemalloc", "libtcmalloc", "libmimalloc")


class NotHere(Exception):
    """This tracer cannot trace this program; says why."""


class Unprobed:
    name = "unprobed"
    prefix = ()
    says = ""

    @contextlib.contextmanager
    def attached(self, program):
        seep.check_no_breakpoints(program.pid)
        yield


class Seep:
    """The daemon's default: whatever its governor chooses."""

    name = "seep"
    prefix = ()

    def __init__(self, daemon):
        self.daemon = daemon
        self.says = ""

    @contextlib.contextmanager
    def attached(self, program):
        key = self.track(program)
        cpu, start = programs.cpu_seconds(self.daemon.pid), time.monotonic()
        yield
        share = (programs.cpu_seconds(self.daemon.pid) - cpu) / (time.monotonic() - start)
        self.says = self.describe(self.after_tick(key), share)
        self.daemon.untrack(key)
        seep.check_no_breakpoints(program.pid)

    def track(self, program):
        """As a user would: the client's default is what is measured."""
        result = self.daemon.seepctl("track", "--json", program.pid)
        if result.status:
            raise NotHere(result.err.strip())
        key = result.json["targets"][0]["id"]
        try:
            self.daemon.wait_traced(key)
        except AssertionError as error:
            raise NotHere(str(error)) from error
        return key

    def after_tick(self, key):
        """Figures are as of the last tick: of one that began after the window."""
        ticks = self.daemon.get("/v1/info")["ticks"]
        seep.wait_until(lambda: self.daemon.get("/v1/info")["ticks"] > ticks + 1, "a tick")
        return self.daemon.target(key)

    @staticmethod
    def describe(target, share):
        words = [target["mode"]]
        if target["sampling_interval_bytes"]:
            words.append(f"{target['sampling_interval_bytes'] >> 10} KiB")
        ratio = target["overhead"]["estimated_ratio"]
        if ratio is not None:
            words.append(f"estimates {100 * ratio:.1f} % of a core")
        if not target["coverage"]["allocations_seen"]:
            words.append("saw no allocation")
        words.append(f"seepd itself {100 * share:.1f} %")
        return ", ".join(words)


class Memleak:
    """bcc's tool in its libbpf form: attaches to a process, prints at intervals."""

    prefix = ()

    def __init__(self, path):
        self.path = path
        self.name = os.path.basename(path)
        self.says = ""

    @contextlib.contextmanager
    def attached(self, program):
        with programs.started([self.path, "-p", str(program.pid), "3600"]) as tool:
            def probed():
                if tool.poll() is not None:
                    raise NotHere(f"{self.name} ended with {tool.returncode}")
                return seep.changed_bytes(program.pid)
            self.says = self.describe(program, seep.wait_until(probed, "probes are set"))
            yield
            tool.send_signal(signal.SIGINT)
        seep.check_no_breakpoints(program.pid)

    @staticmethod
    def describe(program, breakpoints):
        """It probes libc, whatever the program allocates with: then it costs and sees nothing."""
        allocators = {os.path.basename(m[3]) for m in seep.executable_mappings(program.pid)
                      if any(word in m[3] for word in ALLOCATORS)}
        probed = {os.path.basename(b.rsplit("+", 1)[0]) for b in breakpoints}
        missed = ", ".join(sorted(allocators - probed))
        return f"does not see {missed}" if missed else ""


class Heaptrack:
    """Preloaded into an instance of its own; --raw: it records, and interprets later."""

    name = "heaptrack"
    says = ""

    def __init__(self, path, folder):
        self.prefix = (path, "--raw", "--output", os.path.join(folder, "heaptrack"))

    @contextlib.contextmanager
    def attached(self, program):
        yield


def tracers(daemon, folder, peers):
    found = [Unprobed(), Seep(daemon)]
    if not peers:
        return found
    memleak = next((p for p in map(shutil.which, MEMLEAK) if p), None)
    heaptrack = shutil.which("heaptrack")
    if memleak:
        found.append(Memleak(memleak))
    else:
        say("memleak of libbpf-tools is not installed, left out")
    if heaptrack:
        found.append(Heaptrack(heaptrack, folder))
    else:
        say("heaptrack is not installed, left out")
    return found


def say(text):
    print(text, flush=True)


def bootstrap(values, baseline):
    """Interval of the loss: 1 less the ratio of the medians, rounds drawn with replacement."""
    draw = random.Random(7)
    losses = []
    for _ in range(RESAMPLES):
        rounds = [draw.randrange(len(values)) for _ in values]
        losses.append(1 - statistics.median(values[i] for i in rounds) /
                      statistics.median(baseline[i] for i in rounds))
    losses.sort()
    return losses[int(0.025 * RESAMPLES)], losses[int(0.975 * RESAMPLES)]


class Result:
    def __init__(self, program, tracer, windows, baseline):
        rates = [w.rate for w in windows]
        base = [w.rate for w in baseline]
        self.program = program
        self.tracer = tracer.name
        self.says = tracer.says
        self.rate = statistics.median(rates)
        self.loss = 1 - self.rate / statistics.median(base)
        self.low, self.high = bootstrap(rates, base)
        self.cpu = statistics.median(w.cpu_per_operation for w in windows) / \
            statistics.median(w.cpu_per_operation for w in baseline) - 1

    def cpu_words(self):
        return f"{1 + self.cpu:.1f} times" if self.cpu > 1 else f"{100 * self.cpu:+.1f} %"

    def line(self):
        text = f"  {self.tracer:<16}{self.rate:>14,.0f} {self.program.unit}/s"
        if self.tracer != "unprobed":
            text += (f"   loses {100 * self.loss:5.1f} % ({100 * self.low:.1f} to "
                     f"{100 * self.high:.1f})   CPU per operation {self.cpu_words()}")
        return text + (f"   {self.says}" if self.says else "")

    def row(self):
        cells = [f"{self.program.name}: {self.program.load_name}", self.tracer,
                 f"{self.rate:,.0f}"]
        if self.tracer == "unprobed":
            cells += ["", "", ""]
        else:
            cells += [f"{100 * self.loss:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})",
                      self.cpu_words(), self.says]
        return "| " + " | ".join(cells) + " |"


class Instances:
    """The processes of one kind of program. Tracers that attach share the one that is measured
    without them, so that only the tracer differs; of one that changes as it runs each window has
    an instance of its own."""

    def __init__(self, kind, folder, stack):
        self.kind = kind
        self.folder = folder
        self.stack = stack
        self.kept = {}

    @contextlib.contextmanager
    def under(self, prefix):
        if self.kind.changes:
            with tempfile.TemporaryDirectory(dir=self.folder) as place:
                program = self.kind(place, prefix)
                with program.running():
                    yield program
            return
        if prefix not in self.kept:
            place = tempfile.mkdtemp(dir=self.folder)
            self.kept[prefix] = self.kind(place, prefix)
            self.stack.enter_context(self.kept[prefix].running())
        yield self.kept[prefix]


def measure(kind, states, options, folder):
    """All rounds of one program. Returns a result for each tracer that could trace it."""
    windows = {tracer: [] for tracer in states}
    with contextlib.ExitStack() as stack:
        instances = Instances(kind, folder, stack)
        for number in range(options.rounds):
            order = states if number % 2 == 0 else states[::-1]
            for tracer in [t for t in order if t in windows]:
                try:
                    with instances.under(tracer.prefix) as program, program.loaded(), \
                            tracer.attached(program):
                        windows[tracer].append(program.measure(options.seconds))
                except NotHere as why:
                    say(f"  {tracer.name} is left out: {why}")
                    del windows[tracer]
    baseline = windows[states[0]]
    return [Result(kind, t, w, baseline) for t, w in windows.items()]


def machine():
    model, virtual = "unknown CPU", False
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        for line in f:
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                model = value.strip()
            if key.strip() == "flags":
                virtual = "hypervisor" in value.split()
    return (f"{model}, {os.cpu_count()} cores, {'virtual' if virtual else 'not virtual'}; "
            f"Linux {platform.release()}; {platform.libc_ver()[0]} {platform.libc_ver()[1]}")


def print_table(results, options):
    say(f"\n{machine()}. Median of {options.rounds} windows of {options.seconds:g} s each, in "
        "turns; in brackets 95 % intervals.\n")
    say("| program and load | tracer | operations/s | loss of throughput | CPU per operation | "
        "tracer says |")
    say("|---|---|--:|--:|--:|---|")
    for result in results:
        say(result.row())


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5, help="of one window (default: 5)")
    parser.add_argument("--rounds", type=int, default=7, help="for each tracer (default: 7)")
    parser.add_argument("--only", default="", help="programs whose names have this word")
    parser.add_argument("--no-peers", action="store_true", help="seep alone")
    options = parser.parse_args()
    if options.seconds <= 0 or options.rounds < 1:
        parser.error("there must be a window")
    return options


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("bench-servers: setting probes needs root")
    load = os.getloadavg()[0]
    if load > 0.5:
        say(f"others use the CPU now (load {load:.1f}): the figures will wander")
    results = []
    with tempfile.TemporaryDirectory(prefix="seep-bench-") as folder, \
            seep.Daemon(check=False) as daemon:
        states = tracers(daemon, folder, not options.no_peers)
        for kind in programs.ALL:
            if options.only not in kind.name:
                continue
            why = kind.why_not()
            if why:
                say(f"{kind.name} is left out: {why}")
                continue
            say(f"{kind.name}: {kind.load_name}")
            found = measure(kind, states, options, folder)
            for result in found:
                say(result.line())
            results += found
    print_table(results, options)


if __name__ == "__main__":
    main()
