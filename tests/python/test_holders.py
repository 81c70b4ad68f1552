#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who holds objects, against programs that know, in every Python that is here."""

import os
import random
import re
import signal
import sys

import pythons
from pythons import seep
from test_census import spoil

PYTHONS = pythons.find()
SEARCHES_UNDER_LOAD = 2
GROWN_BYTES = 24 << 20


def find(pid, samples, deadline_ms=0, **options):
    return pythons.run_driver("find_holders", pid, deadline_ms,
                              *(f"{object_}:{type_}" for object_, type_ in samples), **options)


def check(name, kind, answer):
    path = re.escape(kind["path"]).replace(r"\.\*", ".*")
    assert "error" not in answer, (name, answer)
    seep.equal(answer["samples"], len(kind["samples"]), f"{name}: samples that live")
    assert answer["holders"], f"{name}: nobody holds them"
    first = answer["holders"][0]
    assert re.fullmatch(path, first["path"]), (name, kind["path"], answer["holders"])
    seep.equal((first["root"], first["container"], first["samples"]),
               (kind["root"], kind["container"], len(kind["samples"])), f"{name}: holder")
    others = kind.get("others", [])
    seep.equal([h["path"] for h in answer["holders"][1:]][:len(others)], others,
               f"{name}: other holders")


def test_every_kind_of_leak_is_named():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "held.py", "quiet") as program:
            assert len(program.truth) > 25, "kinds of leaks"
            for kind in sorted(program.truth):
                answer = find(program.pid, program.truth[kind]["samples"])
                check(kind, program.truth[kind], answer)
                assert answer["grown_bytes"] <= GROWN_BYTES, answer["grown_bytes"]


def test_heap_that_changes_at_full_speed():
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        with pythons.Program(command, "held.py", "load") as program:
            for kind in ("items of instances", "lru_cache", "tasks"):
                for _ in range(SEARCHES_UNDER_LOAD):
                    check(kind, program.truth[kind],
                          find(program.pid, program.truth[kind]["samples"]))


def find_replaced(command, seconds):
    """Holders that were found in searches for those of a list that is replaced so often."""
    with pythons.Program(command, "held.py", "replace", str(seconds)) as program:
        kind = program.truth["list of an instance"]
        found = [h for _ in range(13) for h in find(program.pid, kind["samples"])["holders"]
                 if h["root"] != "unknown"]
        for holder in found:
            seep.equal(holder["path"], kind["path"], "its path")
        return found


def test_list_that_is_replaced():
    """Within a search it gets away, but is not taken for what has its address then."""
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        find_replaced(command, 0.005)
        assert find_replaced(command, 0.1), "it is found sometimes"


def test_samples_that_are_gone_do_not_count():
    _, command = PYTHONS[0]
    with pythons.Program(command, "held.py", "quiet") as program:
        kind = program.truth["list"]
        other = program.truth["tasks"]["samples"][0][1]
        # Another type, no object at all, no memory, the same one twice.
        samples = [[kind["samples"][0][0], other], [kind["samples"][1][0] + 8, other], [8, other],
                   kind["samples"][2], kind["samples"][2]]
        answer = find(program.pid, samples)
        check("one that lives", dict(kind, samples=samples[3:4], path="__main__.kept_list[6]"), answer)
        answer = find(program.pid, samples[:3])
        seep.equal((answer["samples"], answer["holders"]), (0, []), "samples that are gone")


def test_deadline():
    _, command = PYTHONS[0]
    with pythons.Program(command, "held.py", "quiet") as program:
        samples = program.truth["namespace"]["samples"]
        whole = find(program.pid, samples)
        answer = find(program.pid, samples, 1)
        assert answer.get("cpu_ns", 0) < whole["cpu_ns"] / 2, (answer, whole)


def test_target_that_dies():
    """At any time of a search."""
    _, command = PYTHONS[0]
    driver = os.path.join(seep.BUILD, "tests/python/find_holders")
    chance = random.Random(29)
    answers = []
    for _ in range(15):
        with pythons.Program(command, "held.py", "load") as program:
            samples = [f"{o}:{t}" for o, t in program.truth["waiting tasks"]["samples"]]
            with seep.subprocess.Popen([driver, str(program.pid), "0", *samples], text=True,
                                       stdout=seep.subprocess.PIPE) as reader:
                seep.select.select([], [], [], chance.random() * 0.5)
                os.kill(program.pid, signal.SIGKILL)
                answers.append(seep.json.loads(reader.communicate(timeout=120)[0]))
                seep.equal(reader.returncode, 0, "status of the reader")
    failed = [a["error"] for a in answers if "error" in a]
    print(f"# {len(failed)} of {len(answers)} ended early: {sorted(set(failed))}")
    assert failed, "none was hit"


def test_target_that_spoils_its_memory():
    """Its interpreter's state as well; the reader is built with sanitizers."""
    chance = random.Random(53)
    for name, command in PYTHONS:
        print(f"# {name}", flush=True)
        for share in (0.0003, 0.01, 0.1):
            with pythons.Program(command, "held.py", "quiet") as program:
                # What is stopped does not trip over its own memory while it is looked at.
                os.kill(program.pid, signal.SIGSTOP)
                spoil(program.pid, chance, share)
                for kind in ("items of instances", "waiting tasks", "cycles"):
                    answer = find(program.pid, program.truth[kind]["samples"], 10000,
                                  sanitized=True)
                    told = answer.get("why") or answer.get("error") or answer["holders"][:1]
                    print(f"#   {share} {kind}: {told}")


if __name__ == "__main__":
    assert sys.version_info >= (3, 9)
    seep.main(globals())
