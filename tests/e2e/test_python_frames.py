#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks of Python processes name the lines of Python, as Python itself sees them."""

import glob
import json
import os
import subprocess
import tempfile

import python
import seep

MAX_FRAMES = 48
DEEP = 8101  # bytes of the block whose stack is longer


SMALLEST = 3000  # of the blocks that the workload tells of


def summed(sites):
    """{Python frames: [blocks, bytes]} of its blocks; a bytearray has a byte more than it was asked for."""
    found = {}
    for site in sites:
        if site["average_bytes"] > SMALLEST:
            key = json.dumps(python.frames_of(site))
            count, size = found.get(key, (0, 0))
            found[key] = (count + site["live_count"], size + site["live_bytes"])
    return found


def expected_of(blocks):
    found = {}
    for size, stack in blocks:
        key = json.dumps(stack)
        count, total = found.get(key, (0, 0))
        found[key] = (count + 1, total + size + 1)
    return found


def check_blocks(blocks, sites):
    """Every block's Python frames are those that Python saw."""
    found = summed(s for s in sites if s["stack_status"] == "complete")
    for stack, expected in expected_of(b for b in blocks if b[0] != DEEP).items():
        if stack not in found:
            near = [s for s in found if s[:60] == stack[:60]]
            raise AssertionError(f"no stack {stack}, but {near}")
        seep.equal(found[stack], expected, f"blocks and bytes of {stack}")


def check_deep(blocks, sites):
    """Of a stack with more frames than are kept the inner ones are right."""
    expected = next(stack for size, stack in blocks if size == DEEP)
    site = next(s for s in sites if s["average_bytes"] == DEEP + 1)
    got = python.frames_of(site)
    seep.equal(site["stack_status"], "depth", "status")
    assert len(got) > MAX_FRAMES / 2, f"{len(got)} frames"
    seep.equal(got, expected[: len(got)], "inner frames")


def all_sites(d, key):
    return d.get("/v1/sites", target=key, by="stack", limit=1000, sort="live")["sites"]


def check_runs(sites):
    """Code that is made again and again is one code, and a list that grows is its line's."""
    again = [s for s in sites if s["average_bytes"] == 7994]
    seep.equal([s["live_count"] for s in again], [200], "blocks of <again>")
    seep.equal(again[0]["frames"][-1]["kind"], "native", "outermost frame")
    seep.equal([f[0] for f in python.frames_of(again[0])][0], "<again>", "file")


def check_coverage(target):
    stacks = target["coverage"]["python_stacks"]
    assert stacks["whole"] > 500, stacks
    # Behind a native stack that was cut (a library that was loaded a moment ago) they are appended.
    cut = sum(n for status, n in target["coverage"]["truncated_stacks"].items() if status != "depth")
    assert stacks["unmatched"] <= cut, f"{stacks}, {cut} cut"
    seep.equal(stacks["no_thread_state"], 0, f"others of {stacks}")
    seep.equal(target["coverage"]["lost"]["python_code"], 0, "codes without names")
    seep.equal((target["language"], target["python_error"]), ("python", None), "language")


def build(folder, name, *words):
    """Compiles a file of the workloads; the last word is the result's name, the others are flags."""
    path = os.path.join(folder, words[-1])
    subprocess.run(["cc", "-O1", "-g", *words[:-1], "-o", path, os.path.join(python.SCRIPTS, name)],
                   check=True)
    return path


def check_library(d, key, script):
    """The C function first, then the line of Python that called it; nothing of the interpreter between."""
    line = next(n for n, text in enumerate(open(script, encoding="utf-8"), 1)
                if "library.leak(9001)" in text)
    site = next(s for s in all_sites(d, key) if s["average_bytes"] == 9001)
    seep.equal(site["live_count"], 23, "leaks")
    seep.equal(site["frames"][0]["function"], "leak", "first frame")
    seep.equal(python.frames_of(site)[0][1:], [line, "native"], "first Python frame")
    lines = [s["frames"][0] for s in d.sites(key, by="line") if s["live_bytes"] == 9001 * 23]
    seep.equal([f["function"] for f in lines], ["leak"], "by line")


def check_lines(d, key, script):
    """As tracemalloc would have it: a list's growth is where it is appended to."""
    line = next(n for n, text in enumerate(open(script, encoding="utf-8"), 1)
                if "values.append(i)" in text)
    lines = [s for s in d.sites(key, by="line")
             if s["frames"][0]["line"] == line and s["frames"][0]["file"].endswith("/frames.py")]
    seep.equal([s["frames"][0]["kind"] for s in lines], ["python"], "sites of the line")
    assert lines[0]["live_bytes"] >= 8 * 50000, lines[0]


def test_all_ways_to_allocate():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        with seep.Daemon() as d, python.Python("frames.py", build(folder, "leak.c", "-shared", "-fPIC", "leak.so")) as w:
            key = d.track(w.pid)
            blocks = w.go()["blocks"]
            d.wait_tick()
            sites = all_sites(d, key)
            check_blocks(blocks, sites)
            check_deep(blocks, sites)
            check_runs(sites)
            check_library(d, key, python.HOME + w.script)
            check_lines(d, key, python.HOME + w.script)
            check_coverage(d.target(key))
            w.end()
            d.wait_gone()


def test_sub_interpreter():
    """Its own frames, and none of those that the thread has in the main interpreter."""
    with seep.Daemon() as d, python.Python("frames.py", "interpreters") as w:
        key = d.track(w.pid)
        blocks = w.go()["blocks"]
        if not blocks:
            raise seep.Skip("this version has no sub-interpreters, or none that work")
        size, stack = blocks[0]
        seep.wait_until(lambda: any(s["average_bytes"] == size + 1 for s in all_sites(d, key)), "its site")
        site = next(s for s in all_sites(d, key) if s["average_bytes"] == size + 1)
        seep.equal(python.frames_of(site), stack, "Python frames")


def line_of(w, text):
    with open(python.HOME + w.script, encoding="utf-8") as f:
        return next(n for n, line in enumerate(f, 1) if text in line)


def site_of(d, pid, size):
    """The first Python frame of the one site of a process with blocks of a size."""
    def find():
        target = d.find(pid)
        sites = all_sites(d, target["id"]) if target else []
        return [s for s in sites if s["average_bytes"] == size + 1]
    return seep.wait_until(find, f"a site of {pid}")[0]


def test_fork_and_exec():
    """A child has Python frames as its parent has, and a new image once its interpreter is there."""
    with seep.Daemon() as d, python.Python("family.py") as w:
        d.track(w.pid, follow=True)
        w.poke()
        children = [int(word) for word in w.read_line().split()[1:]]
        for pid in children:
            seep.wait_until(lambda: (d.find(pid) or {"allocators": []})["allocators"],
                            f"child {pid} is traced")
        w.poke()
        for pid in children:
            site = site_of(d, pid, 11003)
            seep.equal(python.frames_of(site), [
                [w.script, line_of(w, "bytearray(11003)"), "child"],
                [w.script, line_of(w, "            child()"), "main"],
                [w.script, line_of(w, "main()  # of all"), "<module>"]], f"stack of child {pid}")
            seep.equal(site["live_count"], 1, "blocks")
        old = d.find(w.pid)["id"]
        w.poke()
        seep.equal(w.read_line(), "image", "the new image works")
        seep.wait_until(lambda: d.find(w.pid)["id"] != old and d.find(w.pid)["allocators"] and
                        d.find(w.pid)["language"] == "python", "the new image is traced")
        w.poke()
        seep.equal(w.read_line(), "done", "the new image has allocated")
        line = line_of(w, "bytearray(11027)")
        seep.wait_until(lambda: any(s["average_bytes"] == 11028 and s["live_count"] >= 3 and
                                    python.frames_of(s)[:1] and
                                    python.frames_of(s)[0][1:] == [line, "image"]
                                    for s in all_sites(d, d.find(w.pid)["id"])), "its line")


def test_loaded_late():
    """A program that loads libpython when it has long been traced."""
    libraries = glob.glob("/usr/lib/x86_64-linux-gnu/libpython3.*.so.1.0")
    if not libraries:
        raise seep.Skip("there is no libpython")
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder, seep.Daemon() as d:
        program = build(folder, "embed.c", "embed")
        with seep.Workload("embed", libraries[0], path=program, wait=False) as w:
            seep.equal(w.read_line(), "ready", "the program is there")
            key = d.track(w.pid)
            seep.equal(d.target(key)["language"], "native", "language before")
            w.poke()
            seep.equal(w.read_line(), "loaded", "Python is there")
            seep.wait_until(lambda: d.target(key)["language"] == "python", "Python is seen")
            w.poke()
            seep.equal(w.read_line(), "done", "it has run")
            d.wait_tick()
            site = site_of(d, w.pid, 12007)
            seep.equal(python.frames_of(site), [["<string>", 3, "inside"], ["<string>", 5, "<module>"]],
                       "Python frames")
            seep.equal(site["live_count"], 7, "blocks")


LOADER = """
#include <dlfcn.h>
int main(int argc, char **argv)
{
	int (*f)(const char *) = (int (*)(const char *))dlsym(dlopen(argv[1], RTLD_NOW), "fake_main");
	return argc > 2 && f ? f(argv[2]) : 1;
}
"""


def test_lies():
    """What passes for an interpreter and is none costs its own stacks only."""
    # (Names stay: of that much code they are more than the daemon's memory is checked for.)
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder, seep.Daemon(check=False) as d:
        library = build(folder, "fake.c", "-shared", "-fPIC", "-pthread", "libpython3.11.so")
        with open(os.path.join(folder, "loader.c"), "w", encoding="utf-8") as f:
            f.write(LOADER)
        loader = build(folder, os.path.join(folder, "loader.c"), "loader")
        for mode, check in LIES.items():
            with seep.Workload("loader", library, mode, path=loader, wait=False) as w:
                seep.equal(w.read_line(), "ready", f"{mode} is there")
                key = d.track(w.pid)
                seep.equal(d.target(key)["python_error"], None, "error")
                w.go()
                d.wait_tick()
                seep.wait_until(lambda: d.target(key)["live_count"] == 65536, f"blocks of {mode}")
                check(d.target(key)["coverage"], d.sites(key, by="stack"))
                w.end()
            d.wait_gone()


def check_cycle(coverage, sites):
    seep.equal([s["stack_status"] for s in sites], ["depth"], "status")
    seep.equal(python.frames_of(sites[0]), [["fake", 23, "fake"]] * MAX_FRAMES, "frames")


def check_nowhere(coverage, sites):
    seep.equal([python.frames_of(s) for s in sites], [[["fake", 23, "fake"]]], "frames")
    seep.equal(coverage["python_stacks"]["unmatched"], 65536, "chains that broke")


def check_lies(coverage, sites):
    assert all(len(python.frames_of(s)) <= 1 for s in sites), "frames"


def check_endless(coverage, sites):
    """More code than has room: counted, and the stacks are still there."""
    assert coverage["lost"]["python_code"] + len(sites) >= 1000, coverage["lost"]


LIES = {"cycle": check_cycle, "nowhere": check_nowhere, "lies": check_lies, "endless": check_endless}


if __name__ == "__main__":
    seep.main(globals())
