# SPDX-License-Identifier: GPL-2.0-or-later
"""leakgen under seepd: two lives of a service with real blocks, and whether the verdict is right."""

import json
import os
import subprocess

from watching import DAY, Cell, Result, Watch, seep

LEAKGEN = os.path.join(seep.BUILD, "eval", "leakgen")
SIMULATED = os.path.join(seep.BUILD, "eval", "leakgen-simulated")

# What is run by default: those of which the pattern is plain, some of each kind.
LEAKS = ("L01", "L02", "L04", "L05", "L08", "L09", "L10", "L11", "L12", "L13", "L17", "L18", "L19",
         "L22", "L23")
LOOK_ALIKES = ("N01", "N02", "N03", "N04", "N05", "N06", "N07", "N08", "N09", "N10", "N15", "N17",
               "N22", "N24", "N27")
SHORT = ("L02", "L10", "N01", "N02")

LIMIT = 192 << 20      # of leakgen
# The cgroup's: malloc's own needs and the program's pages are not in leakgen's books.
CELL_LIMIT = LIMIT + (24 << 20)
FIRST_LIFE = 9 * DAY
LEAK_MATTERS = 0.01    # of the headroom
MOST_PEAK = 0.93       # of the limit, where nothing leaks
SEEDS = 50             # that are looked at for one that fits


def simulate(family, seed):
    """(what it is, how much it leaked, its last line) of a first life."""
    out = subprocess.run([SIMULATED, family, "--minute", "0", "--every", str(FIRST_LIFE), "--seed",
                          str(seed), "--limit", str(LIMIT), "--life", str(FIRST_LIFE)],
                         check=True, capture_output=True, timeout=60).stdout
    lines = [json.loads(line) for line in out.splitlines()]
    leaked = max(x["leaked_bytes"] for x in lines if "leaked_bytes" in x)
    return lines[0], leaked, lines[-1]


def fitting_seed(family, seed):
    """The first seed from @seed on with which a leak matters, or a look-alike stays in its limit:
    what no verdict could be right of is not asked."""
    for candidate in range(seed, seed + SEEDS):
        begin, leaked, end = simulate(family, candidate)
        if begin["leaks"]:
            if end["end"] != "life" or leaked > LEAK_MATTERS * begin["headroom_bytes"]:
                return candidate
        elif end["peak_bytes"] < MOST_PEAK * LIMIT:
            return candidate
    raise AssertionError(f"no seed of {family} fits")


class Life:
    """One process, and the truth that it tells."""

    def __init__(self, begin):
        self.begin = begin
        self.leaking = []  # (minute, leaked bytes) of the site in question
        self.end = None
        self.minute = begin["from"]

    def take(self, line):
        if "end" in line:
            self.end = line
        elif line["function"] == self.begin["function"]:
            self.leaking.append((line["minute"], line["leaked_bytes"]))
            self.minute = line["minute"]

    def leaked_by(self, minute):
        return next((b for m, b in reversed(self.leaking) if m <= minute), 0)

    def onset(self):
        return next((m for m, b in self.leaking if b > 0), None)

    def matters(self):
        leaked = self.leaking[-1][1] if self.leaking else 0
        return self.begin["leaks"] and leaked > LEAK_MATTERS * self.begin["headroom_bytes"]


def run_life(watch, family, seed, minute_ms, start, end, mode):
    """Returns the life and the alerts of it, with the minutes of its world."""
    arguments = ["--seed", seed, "--minute", minute_ms, "--from", start, "--life", end - start,
                 "--limit", LIMIT, "--every", 5]
    with Cell(CELL_LIMIT) as cell, \
            seep.Workload("leakgen", family, *arguments, path=LEAKGEN,
                          preexec_fn=cell.enter) as program:
        watch.track(program.pid, mode=mode)
        began = watch.minute()
        program.poke()
        life = Life(json.loads(program.read_line()))
        is_due = watch.restarts
        while not life.end:
            if is_due and life.minute >= (start + end) // 2:
                watch.restart()
                is_due = False
            line = program.read_line(deadline=600)
            if not line:  # the kernel ended it at its limit
                life.end = {"minute": life.minute + 1, "end": "exhausted"}
                break
            life.take(json.loads(line))
        watch.settle()
        alerts = watch.told({program.pid})
    for alert in alerts:
        alert.minute = start + alert.minute - began
    return life, alerts


def judge(result, life, alerts):
    """Adds a life to a result. The first alert of a life in which it leaks must name the site."""
    result.exhaustion_alerts += sum(a.is_exhaustion for a in alerts)
    alerts = [a for a in alerts if not a.is_exhaustion]
    function = life.begin["function"]
    right = [a for a in alerts if life.begin["leaks"] and a.names(function) and
             life.leaked_by(a.minute) > 0]
    result.false_alerts += len(alerts) - len(right)
    if life.matters():
        result.leaking_lives += 1
        result.found_lives += bool(right)
    if alerts and result.site_right is None:
        result.site_right = alerts[0] in right
    if right and result.delay_minutes is None:
        result.delay_minutes = right[0].minute - life.onset()
        result.leaked_share = life.leaked_by(right[0].minute) / life.begin["headroom_bytes"]
    if len(alerts) > len(right):
        result.words += "named " + ", ".join(a.line() for a in alerts if a not in right) + "; "


def run(family, seed, minute_ms, days, mode, restarts=False):
    """Lives follow one another, as in the simulation: nine days, and what is left of @days."""
    seed = fitting_seed(family, seed)
    begin, _, _ = simulate(family, seed)
    result = Result(family, begin["title"], begin["leaks"], begin["function"])
    minute, total = 0, days * DAY
    with Watch(minute_ms, restarts=restarts) as watch:
        while minute < total:
            life, alerts = run_life(watch, family, seed, minute_ms, minute,
                                    min(minute + FIRST_LIFE, total), mode)
            judge(result, life, alerts)
            minute = life.end["minute"]
            # As in the simulation: three lives of a service that does not restart itself, and none
            # of less than a day at the end.
            if not begin["restart_every"] and \
                    (result.leaking_lives == 3 or total - minute < DAY):
                break
    if begin["leaks"]:
        result.right = result.found_lives > 0 and result.false_alerts == 0
        result.words += f"{result.found_lives} of {result.leaking_lives} lives"
    else:
        result.right = result.false_alerts == 0
    return result
