#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A census against what the interpreter knows of itself, in every Python that is here."""

import os
import random
import re
import signal
import statistics
import sys

import pythons
from pythons import seep

PYTHONS = pythons.find()
CENSUSES_UNDER_LOAD = 5


def take(pid, *arguments, **options):
    return pythons.run_driver("take_census", pid, *arguments, **options)


def by_type(census):
    counts = {}
    for kind in census["kinds"]:
        counts[kind["type"]] = counts.get(kind["type"], 0) + kind["count"]
    return counts


def bytes_of(census, name):
    return sum(kind["bytes"] for kind in census["kinds"] if kind["type"] == name)


def display_name(name, counts):
    """tp_name of some types in C does not tell their module."""
    return name if name in counts else name.rsplit(".", 1)[-1]


def classes_by_stats(text):
    """Blocks in use by size class, as sys._debugmallocstats() prints them."""
    counts = [0] * 32
    for line in text.splitlines():
        found = re.match(r"\s*(\d+)\s+(\d+)\s+(\d+)\s+([\d,]+)\s+([\d,]+)\s*$", line)
        if found:
            counts[int(found[1])] = int(found[4].replace(",", ""))
    assert sum(counts), f"no size classes in {text!r}"
    return counts


def wait_quiet(program):
    """Until it has told all it has to, and waits."""
    seep.wait_until(lambda: "\nTotal" in program.error_text(), "statistics of the allocator")
    seep.wait_equal(lambda: program.state(), "S", "state of the process")


def check_quiet(command, **options):
    with pythons.Program(command, "heap.py", "quiet", **options) as program:
        truth = program.truth
        wait_quiet(program)
        census = take(program.pid)
        assert "error" not in census, census
        counts = by_type(census)
        for name, count in truth["known"].items():
            seep.equal(counts.get(display_name(name, counts)), count, f"objects of {name}")
        for name, count in truth["tracked"].items():
            seep.equal(counts.get(display_name(name, counts), 0), count, f"tracked {name}")
        seep.equal(census["unread_pools"], 0, "pools that could not be read")
        seep.equal(census["error_ratio"], 0, "error of a quiet process")
        return census, truth, program.error_text()


def test_quiet_heap_is_counted_exactly():
    """By type as gc.get_objects(), by size class as sys._debugmallocstats()."""
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        census, truth, told = check_quiet(command)
        seep.equal(census["classes"], classes_by_stats(told), "blocks by size class")
        for kind, size in truth["sizes"].items():
            # sys.getsizeof() knows nothing of the rounding of blocks, nor of attributes' dicts.
            count = truth["known"][kind]
            got = bytes_of(census, kind)
            assert size <= got <= size * 1.02 + 48 * count, f"bytes of {kind}: {got}, not {size}"
        assert census["raw_bytes"] < census["bytes"] / 20, "memory that belongs to nobody"


def test_code_tells_tasks_and_generators_apart():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "heap.py", "tasks") as program:
            census = take(program.pid)
            seep.equal(census["tasks_made"], program.truth["tasks_made"], "tasks made")
            for kind, function, done, count in program.truth["kinds"]:
                found = [k for k in census["kinds"] if k["type"] == kind and
                         k["function"] == function and k["done"] == done]
                seep.equal([(k["count"], k["line"], k["file"], k.get("listed")) for k in found],
                           [(count, program.truth["lines"][function], "<stdin>", count)],
                           f"{kind} {function}, done: {done}")


def test_tasks_made_under_load():
    """Numbers of tasks that end while they are read are not taken from what lies there afterwards."""
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "heap.py", "task-load") as program:
            def made():
                os.kill(program.pid, signal.SIGUSR1)
                return int(program.process.stdout.readline())
            for _ in range(17):
                before, taken, after = made(), take(program.pid)["tasks_made"], made()
                # Of those that were there when it began some hundred are left.
                assert before < taken <= after + 1, f"{taken} made, from {before} to {after}"


def test_constant_population_under_load_is_exact():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        rings = []
        with pythons.Program(command, "heap.py", "load") as program:
            for _ in range(CENSUSES_UNDER_LOAD):
                census = take(program.pid)
                counts = by_type(census)
                seep.equal({name: counts[name] for name in program.truth["constant"]},
                           program.truth["constant"], "objects that stay")
                ring = counts["__main__.Ring"]
                rings.append(ring)
                print(f"#   ring {ring}, unread {census['unread_pools']} of {census['pools']}, "
                      f"error {census['error_ratio']:.4f}, {census['cpu_ns'] / 1e6:.0f} ms")
            # A few of these are counted where they were and where they are, or in neither place.
            middle = statistics.median(rings)
            assert abs(middle - program.truth["ring"]) <= program.truth["ring"] / 100, f"{rings}"


def test_other_allocators_are_named():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "heap.py", "quiet",
                             environment={"PYTHONMALLOC": "malloc"}) as program:
            answer = take(program.pid)
            assert "PYTHONMALLOC" in answer.get("why", ""), answer


def test_debug_hooks():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        check_quiet(command, options=["-X", "dev"])
        check_quiet(command, environment={"PYTHONMALLOC": "pymalloc_debug"})


def test_reader_stays_small():
    _, command = PYTHONS[0]
    with pythons.Program(command, "heap.py", "million") as program:
        census = take(program.pid)
        assert census["objects"] >= program.truth["objects"], census["objects"]
        assert census["grown_bytes"] <= 8 << 20, f"the reader grew by {census['grown_bytes']}"


def test_target_that_dies():
    """At any time of a census."""
    _, command = PYTHONS[0]
    driver = os.path.join(seep.BUILD, "tests/python/take_census")
    chance = random.Random(23)
    answers = []
    for _ in range(20):
        with pythons.Program(command, "heap.py", "million") as program, \
                seep.subprocess.Popen([driver, str(program.pid)], text=True,
                                      stdout=seep.subprocess.PIPE) as reader:
            seep.select.select([], [], [], chance.random() * 0.1)
            os.kill(program.pid, signal.SIGKILL)
            answers.append(seep.json.loads(reader.communicate(timeout=120)[0]))
            seep.equal(reader.returncode, 0, "status of the reader")
    failed = [a["error"] for a in answers if "error" in a]
    print(f"# {len(failed)} of {len(answers)} ended early: {sorted(set(failed))}")
    assert failed, "none was hit"


EXEC = """
import os, sys, json
keep = [[i] for i in range(int(sys.argv[2]))]
print(json.dumps(1), flush=True) if sys.argv[1] == "0" else None
os.execv(sys.executable, [sys.executable, "-c", sys.orig, str(int(sys.argv[1]) + 1), sys.argv[2]])
"""


def test_target_that_becomes_another_program():
    source = EXEC.replace("sys.orig", "sys.argv[3]").replace("sys.argv[2]])",
                                                             "sys.argv[2], sys.argv[3]])")
    _, command = PYTHONS[0]
    with seep.subprocess.Popen([*command, "-c", source, "0", "20000", source],
                               stdout=seep.subprocess.PIPE,
                               preexec_fn=seep.die_with_parent) as process:
        process.stdout.readline()
        answers = [take(process.pid) for _ in range(40)]
        process.kill()
    failed = [a.get("why") or a["error"] for a in answers if "error" in a]
    print(f"# {len(failed)} of {len(answers)} ended early: {sorted(set(failed))}")


def test_target_that_forks():
    _, command = PYTHONS[0]
    with pythons.Program(command, "heap.py", "forks") as program:
        for _ in range(CENSUSES_UNDER_LOAD):
            seep.equal(by_type(take(program.pid))["__main__.Constant"], program.truth["constant"],
                       "objects that stay")


def test_imitations_are_no_objects():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "heap.py", "imitations") as program:
            counts = by_type(take(program.pid))
            seep.equal({name: counts.get(name, 0) for name in program.truth["never"]},
                       dict.fromkeys(program.truth["never"], 0), "objects that are none")


def test_interpreters():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "heap.py", "interpreters") as program:
            seep.equal(by_type(take(program.pid))["__main__.Inner"], program.truth["objects"],
                       "objects of all interpreters")


def writable(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        for line in f:
            fields = line.split()
            if fields[1].startswith("rw") and "[stack" not in line:
                start, end = (int(x, 16) for x in fields[0].split("-"))
                yield start, end


def spoil(pid, chance, share):
    """Writes over some of a process's memory: noise, zeros, or words from elsewhere in it."""
    ranges = list(writable(pid))
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        for start, end in ranges:
            for _ in range(max(1, int((end - start) * share) // 64)):
                at = chance.randrange(start, end - 64, 8)
                kind = chance.randrange(4)
                if kind == 0:
                    data = chance.randbytes(64)
                elif kind == 1:
                    data = bytes(64)
                elif kind == 2:
                    data = chance.randrange(start, end, 16).to_bytes(8, "little") * 8
                else:
                    data = b"\xff" * chance.choice((1, 4, 8, 64))
                try:
                    memory.seek(at)
                    memory.write(data)
                except OSError:
                    continue


def test_target_that_spoils_its_memory():
    """Its interpreter's state as well; the reader is built with sanitizers."""
    chance = random.Random(47)
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        for share in (0.0001, 0.001, 0.01, 0.1, 0.5):
            with pythons.Program(command, "heap.py", "quiet") as program:
                wait_quiet(program)
                spoil(program.pid, chance, share)
                answer = take(program.pid, 10000, sanitized=True)
                print(f"#   {share}: {answer.get('why') or answer.get('error') or answer['objects']}")


if __name__ == "__main__":
    assert sys.version_info >= (3, 9)
    seep.main(globals())
