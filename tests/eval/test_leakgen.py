# SPDX-License-Identifier: GPL-2.0-or-later
"""leakgen does with real blocks what the simulation says, and the same each time."""

import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import seep  # noqa: E402 pylint: disable=wrong-import-position

LEAKGEN = os.path.join(seep.BUILD, "eval", "leakgen")
SIMULATED = os.path.join(seep.BUILD, "eval", "leakgen-simulated")

FAMILIES = ["L01", "L04", "L08", "L11", "L13", "L23", "L24", "N02", "N03", "N08", "N10", "N17",
            "N21", "N22", "N25", "N26", "FZ-"]


def run(program, *arguments, **options):
    done = subprocess.run([program, *[str(a) for a in arguments]], capture_output=True, timeout=120,
                          check=False, **options)
    seep.equal(done.returncode, 0, f"{arguments}: {done.stderr[-500:]}")
    return done.stdout


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_real_blocks_are_those_of_the_simulation():
    """Sizes are whole bytes here and fractions there: half a byte for each block at most."""
    for family in FAMILIES:
        arguments = (family, "--minute", 0, "--every", 1009, "--seed", 3, "--life", 6007)
        real, simulated = lines(run(LEAKGEN, *arguments)), lines(run(SIMULATED, *arguments))
        seep.equal(len(real), len(simulated), f"lines of {family}")
        seep.equal({**real[-1], "peak_bytes": 0}, {**simulated[-1], "peak_bytes": 0},
                   f"the end of {family}")
        moved = 0
        for one, other in zip(real[1:-1], simulated[1:-1]):
            seep.equal((one["minute"], one["function"]), (other["minute"], other["function"]),
                       f"order of {family}")
            for key in ("leaked_bytes", "live_bytes"):
                off = abs(one[key] - other[key])
                assert off <= max(2000, 1e-4 * other[key]), \
                    f"{family}: {one} and in simulation {other}"
            moved = max(moved, one["live_bytes"])
        assert moved > 1 << 20, f"{family} allocates"


def test_the_same_seed_does_the_same():
    for family in ("L05", "N21"):
        arguments = (family, "--minute", 0, "--every", 307, "--life", 3001, "--seed")
        first = run(LEAKGEN, *arguments, 7)
        seep.equal(run(LEAKGEN, *arguments, 7), first, f"{family} again")
        assert run(LEAKGEN, *arguments, 8) != first, f"{family}: another seed is another service"


def test_lives_follow_one_another():
    """A service that restarts itself: the next life begins empty, where the last one ended."""
    first = lines(run(LEAKGEN, "L15", "--minute", 0, "--every", 100000))
    seep.equal(first[-1]["end"], "restart", "how the first life ended")
    seep.equal(first[-1]["minute"], first[0]["restart_every"], "when it ended")
    second = lines(run(LEAKGEN, "L15", "--minute", 0, "--every", 1, "--from", first[-1]["minute"],
                       "--life", 3))
    at = [x for x in second if x.get("function") == first[0]["function"] and "minute" in x]
    seep.equal([x["minute"] for x in at], [first[-1]["minute"] + i for i in range(3)], "minutes")
    before = next(x for x in first if x.get("function") == first[0]["function"] and "minute" in x)
    assert at[0]["live_bytes"] < before["leaked_bytes"] / 20, f"{at[0]} after {before}"


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return 1024 * int(re.search(r"^RssAnon:\s+(\d+) kB", f.read(), re.MULTILINE)[1])


def test_what_it_says_is_in_memory():
    """The kernel's figure is the truth's, and what malloc adds to each block."""
    with seep.Workload("leakgen", "L10", "--minute", 0, "--every", 2003, "--life", 2003,
                       path=LEAKGEN) as w:
        w.poke()
        begin = json.loads(w.read_line())
        base = begin["limit_bytes"] - begin["headroom_bytes"]
        live = []
        while len(live) < 6:
            live.append(json.loads(w.read_line()))
        expected = base + sum(x["live_bytes"] for x in live)
        seep.equal({x["minute"] for x in live}, {2002}, "the minute of all functions")
        seep.equal(json.loads(w.read_line())["end"], "life", "how it ended")
        resident = anonymous_bytes(w.pid)
        assert expected < resident < 1.1 * expected, \
            f"{resident} bytes resident, {expected} in use"
        seep.equal(w.end(), 0, "exit status")


def test_a_limit_ends_it():
    out = lines(run(LEAKGEN, "L02", "--minute", 0, "--every", 60, "--limit", 64 << 20))
    seep.equal(out[-1]["end"], "exhausted", "how it ended")
    assert out[-1]["peak_bytes"] > 64 << 20, out[-1]
    leaked = [x for x in out if x.get("function") == "leaking_new" and "minute" in x][-1]
    assert leaked["leaked_bytes"] > 0.5 * out[0]["headroom_bytes"], leaked


def test_functions_have_bodies_of_their_own():
    """Else the compiler has made one of them, and all sites would have one name."""
    out = subprocess.run(["nm", LEAKGEN], capture_output=True, check=True).stdout.decode()
    found = {}
    for address, _, name in (line.split() for line in out.splitlines() if len(line.split()) == 3):
        if re.fullmatch(r"(leaking|look_alike|ordinary_[1-5])_(new|serve)", name):
            found[name] = address
    seep.equal(len(found), 14, f"functions that allocate: {sorted(found)}")
    seep.equal(len(set(found.values())), 14, "their addresses")


seep.main(globals(), requires=(LEAKGEN, SIMULATED))
