# SPDX-License-Identifier: GPL-2.0-or-later
"""Python programs that are watched, and whether what is told of them is right: type, line and holder.

The programs are those of tests/python/leaks, which say themselves what is expected, and the service of
the demo, run by the interpreter that tests/e2e/python.py names.
"""

import ast
import concurrent.futures
import contextlib
import glob
import os
import re
import shutil
import socket
import subprocess
import traceback

from watching import Watch, seep
import python  # of tests/e2e, which watching makes known

PYTHON = "/usr/bin/python3"
LEAKS = os.path.join(seep.ROOT, "tests", "python", "leaks")
DEMO = os.path.join(seep.ROOT, "tests", "demo")
MARK = re.compile(r"# the leak\b")
STORY = "story"
# Days pass within minutes, and so the heap is to be looked at far more often than it costs by default.
OPTIONS = ("--census-budget", "50%")
ASYNCIO_TASK = {"type": r"_asyncio\.Task", "held_by": r"hub\.background", "container": "set"}


class Expected:
    """What a program says of itself."""

    def __init__(self, path, expect):
        with open(path, encoding="utf-8") as f:
            lines = f.read().splitlines()
        self.path = path
        self.leaks = expect is not None
        self.type = (expect or {}).get("type")
        self.held_by = (expect or {}).get("held_by")
        self.container = (expect or {}).get("container")
        self.needs_line = (expect or {}).get("line", True)
        self.lines = {i for i, text in enumerate(lines, 1) if MARK.search(text)}
        assert not self.leaks or self.lines, f"{path}: no line is marked as the leak"

    @classmethod
    def of(cls, name):
        if name == STORY:
            return cls(os.path.join(DEMO, "telemetry.py"), ASYNCIO_TASK)
        path = os.path.join(LEAKS, name + ".py")
        with open(path, encoding="utf-8") as f:
            tree = ast.parse(f.read())
        for node in tree.body:
            if isinstance(node, ast.Assign) and node.targets[0].id == "EXPECT":
                return cls(path, ast.literal_eval(node.value))
        raise AssertionError(f"{path} has no EXPECT")

    def has_line(self, place):
        """@place: an object with file and line."""
        return (os.path.basename(place.get("file") or "") == os.path.basename(self.path) and
                place.get("line") in self.lines)


def names():
    found = sorted(os.path.basename(p)[:-3] for p in glob.glob(os.path.join(LEAKS, "*.py")))
    return [n for n in found if n != "pace"] + [STORY]


def innermost_python(frames):
    return next((f for f in frames if f["kind"] == "python"), {})


def created(leak):
    """The first line that creates what leaks: of the survivors, or of the stack of native memory."""
    lines = leak.get("created_at") or []
    return lines[0] if lines else innermost_python(leak["frames"])


def is_native_part(expected, leak):
    """Blocks above 512 bytes are native memory as well: then that has an alert of its own."""
    return leak.get("type") is None and expected.has_line(created(leak))


def judge_type(expected, leak):
    if expected.type is None:
        return leak.get("type") is None
    return bool(re.fullmatch(expected.type, leak.get("type") or ""))


def judge_line(expected, leak):
    place = created(leak)
    if not place:
        return not expected.needs_line
    return expected.has_line(place)


def holder_of(leak):
    """That of most objects."""
    return next(iter(leak.get("held_by") or []), {})


def judge_holder(expected, leak):
    holder = holder_of(leak)
    if expected.type is None or expected.held_by is None:
        return True
    return bool(re.search(expected.held_by, holder.get("path") or "")) and \
        holder.get("container") == expected.container


def judge(expected, leak):
    """What is wrong with an alert; "" if nothing is."""
    place, holder = created(leak), holder_of(leak)
    wrong = []
    if not judge_type(expected, leak):
        wrong.append(f"type {leak.get('type')}")
    if not judge_line(expected, leak):
        wrong.append(f"line {os.path.basename(place.get('file') or '?')}:{place.get('line')}")
    if not judge_holder(expected, leak):
        wrong.append(f"held by {holder.get('path')}, a {holder.get('container')}")
    return ", ".join(wrong)


def describe(leak):
    place, holder = created(leak), holder_of(leak)
    return (f"{leak.get('type') or 'native memory'}, created at "
            f"{os.path.basename(place.get('file') or '?')}:{place.get('line') or '?'}, held by "
            f"{holder.get('path') or '?'}")


def build_extension(folder):
    """The module of extension.py; raises seep.Skip where it cannot be built."""
    include = python.include_folder()
    path = os.path.join(folder, "leaky.so")
    if not shutil.which("cc") or not os.path.exists(os.path.join(include, "Python.h")):
        raise seep.Skip(f"no compiler, or no {include}/Python.h (python3-dev)")
    subprocess.run(["cc", "-O2", "-g", "-fPIC", "-shared", f"-I{include}",
                    "-idirafter", os.path.dirname(include),
                    os.path.join(os.path.dirname(LEAKS), "leaky.c"), "-o", path], check=True)
    return path


@contextlib.contextmanager
def running(name, rate):
    """The pid of a program of tests/python/leaks that serves so many requests a second."""
    with python.folder() as folder:
        environment = seep.environment(PYTHONDONTWRITEBYTECODE="1")
        if name == "extension":
            environment["EXTENSION"] = python.inside(build_extension(folder))
        for source in (name, "pace"):
            shutil.copy(os.path.join(LEAKS, source + ".py"), folder)
        process = subprocess.Popen([*python.interpreter(),
                                    os.path.join(python.inside(folder), name + ".py"), str(rate)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   preexec_fn=seep.die_with_parent, env=environment)
        try:
            seep.equal(process.stdout.readline(), b"ready\n", f"{name} runs")
            yield process.pid
            assert process.poll() is None, f"{name} ended with {process.returncode}"
        finally:
            process.kill()
            process.communicate()


def why_no_story():
    """None: it can run."""
    for command in (python.interpreter(), [PYTHON]):
        result = subprocess.run([*command, "-c", "import fastapi, uvicorn, websockets"],
                                check=False, capture_output=True)
        if result.returncode:
            return f"FastAPI is not installed for {' '.join(command)}"
    return None


@contextlib.contextmanager
def service(log=subprocess.DEVNULL):
    """(pid, port) of the demo's service."""
    port = seep.free_port()
    with python.folder() as folder:
        shutil.copy(os.path.join(DEMO, "telemetry.py"), folder)
        process = subprocess.Popen([*python.interpreter(), "-B", "-m", "uvicorn", "telemetry:app",
                                    "--app-dir", python.inside(folder), "--port", str(port),
                                    "--log-level", "warning"],
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                   preexec_fn=seep.die_with_parent, env=seep.environment())

        def listens():
            assert process.poll() is None, f"the service ended with {process.returncode}"
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0
        try:
            seep.wait_until(listens, "the service listens")
            yield process.pid, port
        finally:
            process.kill()
            process.wait(20)


@contextlib.contextmanager
def devices(port, rate):
    """The demo's devices, which send so many readings a second; 0: as many as are answered. By this
    machine's own interpreter, whichever is watched."""
    process = subprocess.Popen([PYTHON, os.path.join(DEMO, "devices.py"), str(port), str(rate),
                                "86400"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               preexec_fn=seep.die_with_parent)
    try:
        yield process
        assert process.poll() is None, f"the devices ended with {process.returncode}"
    finally:
        process.kill()
        process.wait(20)


@contextlib.contextmanager
def started(name, rate):
    """The pid of any of names(), under its load."""
    if name != STORY:
        with running(name, rate) as pid:
            yield pid
        return
    why = why_no_story()
    if why:
        raise seep.Skip(why)
    with service() as (pid, port), devices(port, rate):
        yield pid


class Outcome:
    """Of one run. @leaks: all that was found, the oldest first, as it was at the end."""

    def __init__(self, expected, leaks, first_minute=None):
        alerts = [l for l in leaks if l["told"] and l["channel"] != "exhaustion"]
        named = [a for a in alerts if not is_native_part(expected, a)] or alerts
        # Then that names the line.
        expected.needs_line &= len(named) == len(alerts)
        self.first_minute = first_minute
        self.said = describe(named[0]) if named else "nothing was told"
        self.wrong = self.judge_all(expected, named)
        if self.wrong and not named:
            self.wrong += "".join(f"; suspected: {describe(l)}, held back by {l['hold']}"
                                  for l in leaks if not l["told"])

    @staticmethod
    def judge_all(expected, alerts):
        """What is wrong; "" if nothing is."""
        if not expected.leaks:
            return "; ".join("told " + describe(a) for a in alerts)
        if not alerts:
            return "nothing was told"
        first = judge(expected, alerts[0])
        # What leaks with it (names, entries, contexts) has the same line or holder.
        others = [a for a in alerts[1:] if not judge_line(expected, a) and
                  not judge_holder(expected, a)]
        return "; ".join(filter(None, [first] + ["also told " + describe(a) for a in others]))


def limit_of(name):
    """One that is some minutes away, which are some days of the watched world."""
    return (160 if name == STORY else 48) << 20


def watch(name, minute_ms, minutes, rate=500, needs_line=True):
    """One program for so long, or until what is told of it is all right. @needs_line: else a line may be
    missing, but not be wrong."""
    expected = Expected.of(name)
    expected.needs_line &= needs_line
    with started(name, rate) as pid, Watch(minute_ms, OPTIONS) as watching:
        key = watching.daemon.track(pid, mode="governed", limit_bytes=limit_of(name))

        def found():
            """As it is now, the oldest first: lines and holders come after the type."""
            leaks = watching.daemon.get("/v1/leaks", target=key)["leaks"]
            return sorted(leaks, key=lambda l: l["opened_at"] or "")

        def is_over():
            if watching.minute() >= minutes:
                return True
            return expected.leaks and not Outcome(expected, found()).wrong
        seep.wait_until(is_over, f"{name} is watched", deadline=60 + minutes * minute_ms / 1000)
        watching.settle()
        told = watching.told()
        return Outcome(expected, found(), told[0].minute if told else None)


class Run:
    """What came of one program. @right: None if it was left out; @words say why, or what was told."""

    def __init__(self, name, words, right):
        self.name = name
        self.words = words
        self.right = right

    def line(self):
        said = {True: "right", False: "WRONG", None: "skip "}[self.right]
        return f"  {said}  {self.name:<18} {self.words}"


def attempt(name, *arguments, **options):
    """For a process of a pool: an error is a wrong answer, and says what happened."""
    try:
        outcome = watch(name, *arguments, **options)
    except seep.Skip as why:
        return Run(name, str(why), None)
    except (AssertionError, OSError, ValueError, KeyError) as error:
        where = traceback.format_exc().splitlines()[-3].strip()
        return Run(name, f"failed: {error}; {where}", False)
    if outcome.wrong:
        return Run(name, outcome.wrong, False)
    after = "" if outcome.first_minute is None else f", after {outcome.first_minute} minutes"
    return Run(name, outcome.said + after, True)


def attempt_all(chosen, jobs, *arguments, **options):
    """Runs as they are over."""
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(attempt, name, *arguments, **options) for name in chosen]
        for future in concurrent.futures.as_completed(futures):
            yield future.result()


def check(chosen, minutes, minute_ms=50):
    """For a test: all of them at the same time, and all right; see watch() for lines."""
    runs = list(attempt_all(chosen, len(chosen), minute_ms, minutes, needs_line=False))
    for run in runs:
        print("#" + run.line())
    wrong = [run.line().strip() for run in runs if run.right is False]
    assert not wrong, "; ".join(wrong)
    if all(run.right is None for run in runs):
        raise seep.Skip(runs[0].words)
