# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of make eval-real needs: a memory limit, a seepd of its own, and what it told when."""

import contextlib
import itertools
import os
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import manager  # noqa: E402 pylint: disable=wrong-import-position
import seep  # noqa: E402 pylint: disable=wrong-import-position

CGROUP = "/sys/fs/cgroup"
DAY = 1440  # minutes
POLL_SECONDS = 0.2
READY_SECONDS = 180.0  # of many that start at once


class Cell:
    """A memory cgroup with a limit. Processes of ours enter it before they execute anything."""

    numbers = itertools.count()

    def __init__(self, limit_bytes):
        v1 = os.path.exists(f"{CGROUP}/memory/memory.limit_in_bytes")
        root = f"{CGROUP}/memory" if v1 else CGROUP
        self.path = f"{root}/seep-eval-{os.getpid()}-{next(self.numbers)}"
        os.mkdir(self.path)
        self.limit = "memory.limit_in_bytes" if v1 else "memory.max"
        try:
            self.set_limit(limit_bytes)
        except OSError:
            os.rmdir(self.path)
            raise
        self.selector = "cgroup=/" + os.path.basename(self.path)
        self.usage = "memory.usage_in_bytes" if v1 else "memory.current"

    def write(self, name, value):
        with open(os.path.join(self.path, name), "w", encoding="ascii") as f:
            f.write(str(value))

    def set_limit(self, limit_bytes):
        self.write(self.limit, limit_bytes)

    def enter(self):
        """For preexec_fn."""
        seep.die_with_parent()
        self.write("cgroup.procs", os.getpid())

    def used_bytes(self):
        with open(os.path.join(self.path, self.usage), encoding="ascii") as f:
            return int(f.read())

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        """Ends what is left in it, such as workers whose server was killed."""
        def removed():
            with open(os.path.join(self.path, "cgroup.procs"), encoding="ascii") as f:
                for pid in f.read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            with contextlib.suppress(OSError):
                os.rmdir(self.path)
            return not os.path.exists(self.path)
        seep.wait_until(removed, f"{self.path} is empty")


def why_no_cell():
    """Why there can be no memory limit here; None if there can."""
    try:
        with Cell(64 << 20):
            return None
    except OSError as error:
        return f"no memory cgroup can be made: {error}"


class Alert:
    """What was told: @minute is that of the watched world, where it was first seen to be told."""

    def __init__(self, leak, minute):
        self.leak = leak
        self.minute = minute
        self.is_exhaustion = leak.get("channel") == "exhaustion"

    def names(self, function):
        """Whether the function is the one that is blamed: the innermost that has a name to show."""
        return self.line() == function

    def line(self):
        frames = self.leak["frames"]
        return (seep.bare_name(frames[0]["function"]) or
                f"{os.path.basename(frames[0]['module'] or '?')}+{frames[0]['offset'] or 0:x}"
                if frames else self.leak["scope"])

    def passes(self, planted):
        """Whether a planted function is on the stack that is blamed."""
        return any(planted.is_in(frame) for frame in self.leak["frames"])


class Watch:
    """A seepd of its own, with its times scaled, that is asked all the time what it tells.

    @restarts: it may be killed, and goes on with what it has left to its service manager."""

    def __init__(self, minute_ms, options=(), restarts=False):
        self.minute_ms = minute_ms
        self.restarts = restarts
        self.n_restarts = 0
        self.is_up = threading.Lock()  # held by who asks, and by who restarts
        self.state = tempfile.TemporaryDirectory(prefix="seep-eval-")
        # A census a minute costs more of a minute that is shorter.
        census = min(50, 0.5 * 60000 / minute_ms)
        options = ("--detector-tick", f"{minute_ms}ms", "--census-budget", f"{census:g}%", *options)
        if restarts:
            self.daemon = manager.ManagedDaemon(*options, state_dir=self.state.name,
                                                deadline=READY_SECONDS)
        else:
            self.daemon = seep.Daemon(*options, state_dir=self.state.name, check=False,
                                      deadline=READY_SECONDS)
        self.start = time.monotonic()
        self.alerts = {}
        self.asked = 0
        self.trouble = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.ask)
        self.thread.start()

    def minute(self):
        return int(1000 * (time.monotonic() - self.start) / self.minute_ms)

    def ask(self):
        try:
            while not self.stopped.wait(POLL_SECONDS):
                minute = self.minute()
                with self.is_up:
                    leaks = self.daemon.get("/v1/leaks", told="true", limit=1000)["leaks"]
                for leak in leaks:
                    # A leak that is told again in a later life counts again.
                    key = (leak["id"], leak["pid"])
                    if leak["told"] and key not in self.alerts:
                        self.alerts[key] = Alert(leak, minute)
                self.asked += 1
        except (OSError, AssertionError, ValueError) as error:
            self.trouble = f"seepd is not to be asked: {error}; it says: {self.daemon.log()}"

    def restart(self):
        """Killed and asked to end in turns."""
        number = (signal.SIGKILL, signal.SIGTERM)[self.n_restarts % 2]
        self.n_restarts += 1
        with self.is_up:
            self.daemon.restart(number)

    def settle(self):
        """Until all that was told so far is known here."""
        asked = self.asked
        seep.wait_until(lambda: self.trouble or self.asked > asked + 1, "seepd answers")

    def track(self, selector, mode="exact", follow=False):
        self.daemon.track(selector, mode=mode, follow=follow)

    def told(self, pids=None):
        """In the order in which they were told."""
        if self.trouble:
            raise AssertionError(self.trouble)
        return sorted((a for a in list(self.alerts.values())
                       if pids is None or a.leak["pid"] in pids), key=lambda a: a.minute)

    def __enter__(self):
        return self

    def __exit__(self, kind, exception, trace):
        self.stopped.set()
        self.thread.join()
        self.daemon.__exit__(kind, exception, trace)
        self.state.cleanup()


class Result:
    """Of one run. @expected: a leak is there to be found."""

    def __init__(self, name, what, expected, function=""):
        self.name = name
        self.what = what
        self.expected = expected
        self.function = function
        self.right = False
        self.site_right = None  # of the first alert; None: there was none
        self.delay_minutes = None
        self.leaked_share = None  # of the headroom, when it was told
        self.false_alerts = 0
        self.exhaustion_alerts = 0
        self.leaking_lives = 0
        self.found_lives = 0
        self.skipped = ""
        self.words = ""

    def line(self):
        if self.skipped:
            return f"  skip   {self.name:<18} {self.skipped}"
        said = "right" if self.right else "WRONG"
        text = f"  {said}  {self.name:<18} {self.what:<44}"
        if self.delay_minutes is not None:
            text += f" told after {self.delay_minutes / DAY:.1f} days"
            if self.leaked_share is not None:
                text += f", {100 * self.leaked_share:.0f} % of the headroom"
        return text + (f"  {self.words}" if self.words else "")
