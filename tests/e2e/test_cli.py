#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The client: exit codes, what goes to which stream, and what it says of wrong arguments."""

import os
import re
import signal
import subprocess

import seep

USAGE = [
    [], ["nonsense"], ["statsu"], ["status", "surplus"], ["status", "--nonsense"],
    ["sites", "--limit", "0"], ["sites", "--limit", "1001"], ["sites", "--limit", "abc"],
    ["sites", "--limit"], ["sites", "--limit", "-5"], ["sites", "--by", "colour"],
    ["sites", "--by", "file", "--all-frames=yes"], ["sites", "--sort", ""], ["track"], ["track", "a", "b"], ["untrack"], ["diff"], ["run"],
    ["run", "--"], ["run", "--limit", "0", "--", "true"], ["run", "--max-frames", "128", "true"],
    ["run", "--max-blocks", "1", "true"], ["run", "--ring-size", "5000", "true"],
    ["run", "--links", "none", "true"], ["trace"], ["trace", "--for", "0s", "1234"],
    ["trace", "--for", "soon", "1234"], ["trace", "--for", "8d", "1234"], ["trace", "colour=red"],
    ["trace", ""], ["help", "nonsense"], ["--color", "sometimes", "status"], ["--socket"],
    ["--socket", "x" * 200, "status"],
]


def test_wrong_arguments():
    wrong = []
    for arguments in USAGE:
        result = seep.seepctl("--socket", "/nonexistent/seep.sock", *arguments)
        if arguments in ([], ["--socket", "x" * 200, "status"]):
            result = seep.seepctl(*arguments)
        if result.status != 2 or result.out or not result.err.strip():
            wrong.append(f"{arguments}: {result}")
        elif re.search(r"[^\n -~]", result.err.replace("±", "")):
            wrong.append(f"{arguments}: strange characters in {result.err!r}")
    assert not wrong, "\n".join(wrong)


def test_misspelt_verb():
    result = seep.seepctl("statsu")
    assert "status" in result.err, f"the nearest verb is suggested: {result}"


def test_help():
    result = seep.seepctl("--help")
    seep.equal((result.status, result.err), (0, ""), "help")
    verbs = {"status", "targets", "track", "untrack", "sites", "snapshot", "diff", "doctor",
             "run", "trace", "help", "version"}
    for verb in verbs:
        assert re.search(rf"^ +{verb}\b", result.out, re.M), f"{verb} is in the help"
        one = seep.seepctl(verb, "--help")
        seep.equal((one.status, one.err), (0, ""), f"{verb} --help")
        assert f"seepctl {verb}" in one.out, f"usage of {verb}"
        seep.equal(seep.seepctl("help", verb).out, one.out, f"help {verb}")
    version = seep.seepctl("--version")
    assert re.search(r"\d+\.\d+", version.out), f"version: {version}"
    assert seep.seepctl("version", "-j").json, "version as JSON"


def test_seepd_arguments():
    for arguments, status in ((["--help"], 0), (["--version"], 0), (["--nonsense"], 2),
                              (["surplus"], 2), (["--tick", "0"], 2), (["--tick", "999ms"], 2),
                              (["--tick", "2h"], 2), (["--max-blocks", "63"], 2),
                              (["--max-sites", "x"], 2), (["--ring-size", "5000"], 2),
                              (["--links", "kprobe"], 2), (["--socket", ""], 2),
                              (["--max-frames", "128"], 2),
                              (["--socket", "/nonexistent/folder/seep.sock"], 1),
                              (["--socket", "/tmp/" + "x" * 120], 1),
                              (["--socket", "/tmp/seep-e2e-none", "--track", "colour=red"], 1)):
        result = subprocess.run([seep.SEEPD, *arguments], capture_output=True, timeout=seep.DEADLINE,
                                check=False, env=seep.environment())
        seep.equal(result.returncode, status, f"seepd {arguments}: {result.stderr}")
        if status:
            assert result.stderr.strip(), f"seepd {arguments} says why"


def test_no_daemon():
    for arguments in (["status"], ["targets"], ["sites"], ["track", "1"], ["untrack", "1"],
                      ["snapshot"], ["diff", "a"]):
        result = seep.seepctl("--socket", "/nonexistent/seep.sock", *arguments)
        seep.equal((result.status, result.out), (3, ""), f"{arguments}: {result}")
        assert "/nonexistent/seep.sock" in result.err, f"it names the socket: {result}"
    result = seep.seepctl("status", env=seep.environment(SEEP_SOCKET="/nonexistent/other.sock"))
    assert result.status == 3 and "other.sock" in result.err, f"$SEEP_SOCKET: {result}"


def test_verbs():
    """The whole way of a user with a daemon."""
    with seep.Daemon() as daemon, seep.Workload("exact_family") as workload:
        pid = str(workload.pid)
        result = daemon.seepctl("status")
        seep.equal(result.status, 0, f"status: {result}")
        seep.equal(daemon.seepctl("status", "-j").json["info"]["pid"]
                   if "info" in daemon.seepctl("status", "-j").json
                   else daemon.seepctl("status", "-j").json["pid"], daemon.pid, "its pid")
        result = daemon.seepctl("sites", pid)
        seep.equal(result.status, 5, f"sites of no target: {result}")
        assert f"seepctl track {pid}" in result.err, f"it says how to track it: {result}"
        assert "seepctl track" in daemon.seepctl("sites").out, "so do sites of nobody"
        result = daemon.seepctl("track", pid)
        seep.equal(result.status, 0, f"track: {result}")
        assert pid in result.out + result.err, f"it says what is tracked: {result}"
        daemon.wait_traced(daemon.find(workload.pid)["id"])
        result = daemon.seepctl("track", pid)
        seep.equal(result.status, 1, f"track twice: {result}")
        assert "tracked already" in result.err, f"it says why: {result}"
        truth = workload.go()
        key = daemon.find(workload.pid)["id"]
        daemon.wait_tick()
        for name in (pid, key, "exact_family", daemon.find(workload.pid)["exe"]):
            result = daemon.seepctl("sites", name, "--by", "function", "--limit", "1000", "-j")
            seep.equal(result.status, 0, f"sites {name}: {result}")
            seep.equal(seep.only(seep.by_function(result.json["sites"]), truth["functions"]),
                       truth["functions"], f"figures by {name}")
        result = daemon.seepctl("targets")
        assert pid in result.out and "exact_family" in result.out, f"targets: {result}"
        result = daemon.seepctl("sites", pid, "--sort", "allocated", "--limit", "2")
        assert result.out.count("#") >= 2 and "exact_family.c:" in result.out, f"sites: {result}"
        result = daemon.seepctl("sites", pid, "--by", "traceback", "--include", "call_malloc")
        seep.equal(re.sub(r"line \d+", "line N", result.out).count(
            'exact_family.c", line N, in call_malloc\n'), 1, f"traceback: {result}")
        assert result.out.index("in main") < result.out.index("in call_malloc"), f"{result}"
        assert re.search(r"Hidden by filters: \d+ sites with ", result.out), f"{result}"
        assert "\033" not in result.out, "no colour where no terminal is"
        assert "\033[" in daemon.seepctl("--color", "always", "sites", pid).out, "colour if wanted"
        seep.equal(daemon.seepctl("snapshot", "one").status, 0, "snapshot")
        seep.equal(daemon.seepctl("snapshot", "one").status, 1, "a name that is taken")
        assert "one" in daemon.seepctl("snapshot", "--list").out, "list of snapshots"
        seep.equal(daemon.seepctl("diff", "one", "-j").status, 0, "diff")
        seep.equal(daemon.seepctl("diff", "two").status, 1, "diff from nothing")
        seep.equal(daemon.seepctl("snapshot", "--drop", "one").status, 0, "drop a snapshot")
        result = daemon.seepctl("snapshot", "--drop", "one")
        seep.equal(result.status, 1, "drop it twice")
        assert "; 'seepctl snapshot --list' lists those" in result.err, f"a verb, no route: {result}"
        seep.equal(daemon.seepctl("untrack", pid).status, 0, "untrack")
        seep.equal(daemon.seepctl("untrack", pid).status, 5, "untrack twice")
        seep.check_no_breakpoints(workload.pid)
        for arguments, status in ((["track", "1"], 4), (["track", str(daemon.pid)], 4),
                                  (["track", "4194303"], 5), (["track", "colour=red"], 2)):
            result = daemon.seepctl(*arguments)
            seep.equal(result.status, status, f"{arguments}: {result}")
            assert result.err.strip(), f"{arguments} says why"
        workload.end()


def test_ambiguous():
    with seep.Daemon() as daemon, seep.Workload("twins", 31, 7) as one, \
            seep.Workload("twins", 37, 11) as two:
        daemon.track(one.pid)
        daemon.track(two.pid)
        result = daemon.seepctl("sites", "twins")
        seep.equal(result.status, 2, f"two targets of one name: {result}")
        assert str(one.pid) in result.err and str(two.pid) in result.err, f"candidates: {result}"


def test_trace_of_nothing():
    for selector, status in (("4194303", 5), ("seep-no-such-program", 5), ("1", 4)):
        result = seep.seepctl("trace", selector, "--for", "1s")
        seep.equal((result.status, result.out), (status, ""), f"trace {selector}: {result}")
        assert selector in result.err, f"it names the selector: {result}"


def test_trace_says_so():
    """Somebody who waits is told for what."""
    with seep.Workload("twins", 31, 7) as workload:
        result = seep.seepctl("trace", workload.pid, "--for", "500ms")
        seep.equal(result.status, 0, f"{result}")
        assert str(workload.pid) in result.err and "Ctrl-C" in result.err, \
            f"it says that it is tracing: {result.err!r}"
        assert "Watched for" in result.out or "Coverage" in result.out, f"report: {result}"


def test_doctor():
    result = seep.seepctl("doctor")
    seep.equal(result.status, 0, f"doctor: {result}")
    report = seep.seepctl("doctor", "-j").json
    checks = report["checks"] if isinstance(report, dict) else report
    assert checks and all(c["status"] in ("ok", "warn") for c in checks), f"checks: {checks}"


def test_closed_output():
    """A reader that leaves (head) is no reason to die by a signal without a word."""
    process = subprocess.Popen([seep.SEEPCTL, "--help"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=seep.environment())
    process.stdout.close()
    _, err = process.communicate(timeout=seep.DEADLINE)
    assert process.returncode in (0, 1, -signal.SIGPIPE), f"status {process.returncode}: {err}"


def test_full_output():
    """A report that could not be written is an error."""
    with open("/dev/full", "wb") as full:
        for arguments in (["--help"], ["version"], ["doctor", "-j"], ["run", "--", "true"]):
            result = subprocess.run([seep.SEEPCTL, *arguments], stdout=full,
                                    stderr=subprocess.PIPE, check=False, timeout=60,
                                    env=seep.environment())
            seep.equal(result.returncode, 1, f"{arguments} to a full device: {result.stderr}")


if __name__ == "__main__":
    seep.main(globals())
