# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests share: a private daemon, workloads, the client, TAP.

Nothing here sleeps: all waiting is for a condition, with a deadline.
"""

import contextlib
import ctypes
import http.client
import json
import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.parse

# The tests know these by the name of this module.
from figures import (FIGURES, bare_name, by_function, check_nothing_lost, losses,  # noqa: F401
                     only)
from probed import (changed_bytes, check_no_breakpoints, executable_mappings,  # noqa: F401
                    probes_on_libc)
from procs import (GONE, HELPERS, age_seconds, child_named, child_that_runs, children_named,  # noqa: F401
                   children_of, comm_of, descriptors, kill_if_there, link_of, listed, rss_bytes,
                   state_of, symbolizers_of)
from waiting import DEADLINE, Skip, equal, wait_equal, wait_until

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
SEEPD = os.path.join(BUILD, "seepd")
SEEPCTL = os.path.join(BUILD, "seepctl")

# What the daemon may keep of targets that are gone: names of their files, and what its allocator
# does not give back. Measured over the whole tier; a leak per request or target is far above it.
RSS_TOLERANCE_BYTES = 8 << 20

SEVERITIES = ("low", "medium", "high", "critical")

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """For preexec_fn: nothing of a test outlives it, even if it is killed."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def workload_path(name):
    path = os.path.join(BUILD, "workloads", name)
    assert os.path.exists(path), f"{path} is not built"
    return path


@contextlib.contextmanager
def renamed(name):
    """A copy of a workload's program whose name no other process of the machine has."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        os.chmod(folder, 0o755)
        path = os.path.join(folder, f"{name}-{os.getpid()}")
        shutil.copy(workload_path(name), path)
        yield path


class Workload:
    """A program of tests/workloads, started and held at its first step."""

    def __init__(self, name, *arguments, prefix=(), wait=True, path=None, **options):
        command = [*prefix, path or workload_path(name), *[str(a) for a in arguments]]
        if wait:
            command += ["--wait", "--hold"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
            preexec_fn=options.pop("preexec_fn", die_with_parent), **options)
        self.pid = self.process.pid
        if wait:
            equal(self.read_line(), "ready", f"{name} says that it is ready")

    def read_line(self, deadline=120.0):
        ready, _, _ = select.select([self.process.stdout], [], [], deadline)
        assert ready, f"no output of {self.process.args} within {deadline} s"
        return self.process.stdout.readline().decode().strip()

    def poke(self):
        self.process.stdin.write(b"x")

    def go(self):
        """Lets it work; returns the truth that it tells."""
        self.poke()
        return json.loads(self.read_line())

    def end(self):
        """Lets it exit; returns the status."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        status = self.process.wait(DEADLINE)
        self.process.stdout.close()
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        self.process.stdin.close()
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(DEADLINE)
        for pipe in (self.process.stdin, self.process.stdout):
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


class Connection(http.client.HTTPConnection):
    def __init__(self, path, timeout=DEADLINE):
        super().__init__("seep", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Response:
    def __init__(self, response):
        self.status = response.status
        self.headers = dict((k.lower(), v) for k, v in response.getheaders())
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body) if self.body else None

    @property
    def code(self):
        """Of a problem; None if the answer is none."""
        if not self.headers.get("content-type", "").startswith("application/problem+json"):
            return None
        return self.json["code"]


class Daemon:
    """A private seepd. As a context it checks at its end that nothing was left behind."""

    def __init__(self, *options, tick="1s", check=True, state_dir=None, config=None,
                 deadline=DEADLINE):
        """config: {name: text} of files in its folder of configuration; that of the host is not read."""
        self.folder = tempfile.TemporaryDirectory(prefix="seep-e2e-")
        os.chmod(self.folder.name, 0o755)
        self.socket = os.path.join(self.folder.name, "seep.sock")
        self.log_path = os.path.join(self.folder.name, "log")
        self.check = check
        self.config = os.path.join(self.folder.name, "config")
        os.mkdir(self.config)
        for name, text in (config or {}).items():
            self.write_config(name, text)
        self.command = [SEEPD, "--config", self.config, "--socket", self.socket, "--tick", tick,
                        "--state-dir", state_dir or os.path.join(self.folder.name, "state"),
                        *options]
        self.process = self.start()
        self.pid = self.process.pid
        wait_until(self.is_ready, "seepd is ready", deadline)
        if check:
            self.end_symbolizers()
            wait_equal(lambda: descriptors(self.pid).get("socket"), 1 + len(HELPERS),
                       "sockets: the listening one, and those of the other children")
            self.descriptors = wait_until(self.settled_descriptors, "descriptors are settled")
            self.warm_up()
            self.rss = rss_bytes(self.pid)

    def write_config(self, name, text):
        """None: the file goes."""
        path = os.path.join(self.config, name)
        if text is None:
            os.unlink(path)
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def reload(self):
        """SIGHUP; returns what /v1/info says of the configuration then."""
        before = self.log_whole().count("configuration")
        self.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.log_whole().count("configuration") > before, "a reload")
        return self.get("/v1/info")["config"]

    def start(self):
        with open(self.log_path, "ab") as log:
            return subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    env=environment(), preexec_fn=die_with_parent)

    def own_descriptors(self):
        """Without those of targets' files: by design one is kept of each, so that its names stay
        known when it is deleted; and one of its root, if that is another. More of one file stay in."""
        found = descriptors(self.pid)
        found.pop("folder", None)
        for path in [k for k in found if k.startswith("/") and k != "/dev/null"]:
            if path == self.log_path or found[path] == 1:
                found.pop(path)
        return found

    def settled_descriptors(self):
        """Without a target no file is open, nor anything for a moment only."""
        found = self.own_descriptors()
        files = [k for k in found if k.startswith("/") and k != "/dev/null"]
        return found if not files and found == self.own_descriptors() else None

    def is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"seepd ended with {self.process.returncode}: {self.log()}")
        try:
            return self.request("GET", "/readyz").status == 200
        except OSError:
            return False

    def log_whole(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log(self):
        return self.log_whole()[-2000:]

    def warm_up(self):
        """One small target from beginning to end, so that all caches have been used once."""
        with Workload("twins", 7, 3) as w:
            target = self.track(w.pid)
            w.go()
            wait_until(lambda: self.sites(target), "the first sites")
            w.end()
            self.wait_gone()

    def request(self, method, path, body=None, headers=None, raw=None):
        connection = Connection(self.socket)
        try:
            headers = dict(headers or {})
            data = raw
            if body is not None:
                data = json.dumps(body).encode()
            if data is not None:
                headers.setdefault("Content-Type", "application/json")
            # Who is turned away has the answer before the request is sent.
            with contextlib.suppress(BrokenPipeError):
                connection.request(method, path, body=data, headers=headers)
            return Response(connection.getresponse())
        finally:
            connection.close()

    def get(self, path, **parameters):
        if parameters:
            path += "?" + urllib.parse.urlencode(parameters, doseq=True)
        response = self.request("GET", path)
        equal(response.status, 200, f"GET {path}: {response.body[:500]}")
        return response.json

    def targets(self):
        return self.get("/v1/targets")["targets"]

    def wait_tick(self):
        """Until all that has happened so far was read from the kernel, and not only some of it."""
        ticks = self.get("/v1/info")["ticks"]
        wait_until(lambda: self.get("/v1/info")["ticks"] > ticks, "a tick")

    def target(self, key):
        return self.get(f"/v1/targets/{key}")

    def find(self, pid):
        """The target of a process: of its last image."""
        found = [t for t in self.targets() if t["pid"] == pid]
        return found[-1] if found else None

    def track(self, selector, follow=False, traced=True, mode="exact", **more):
        """Returns the id of the one target, once it is traced."""
        response = self.request("POST", "/v1/targets",
                                {"selector": str(selector), "follow": follow, "mode": mode,
                                 **more})
        equal(response.status, 201, f"track {selector}: {response.body[:500]}")
        key = response.json["targets"][0]["id"]
        if traced:
            self.wait_traced(key)
        return key

    def wait_traced(self, key):
        def traced():
            t = self.target(key)
            assert t["state"] in ("attaching", "traced"), f"{key} is {t['state']}: {t['error']}"
            return t["state"] == "traced"
        wait_until(traced, f"{key} is traced")

    def untrack(self, what):
        response = self.request("DELETE", "/v1/targets/" + urllib.parse.quote(str(what), safe=""))
        equal(response.status, 204, f"untrack {what}: {response.body[:500]}")

    def sites(self, key, by="function", **parameters):
        parameters.setdefault("limit", 1000)
        return self.get("/v1/sites", target=key, by=by, **parameters)["sites"]

    def leaks(self, **parameters):
        return self.get("/v1/leaks", **parameters)["leaks"]

    def wait_told(self, key, deadline=150.0):
        """The alerts of a target, once there is one."""
        wait_until(lambda: [l for l in self.leaks(target=key) if l["told"]], "an alert",
                   deadline=deadline)
        return [l for l in self.leaks(target=key) if l["told"]]

    def events(self):
        body = self.request("GET", "/v1/events").body
        return [json.loads(line) for line in body.splitlines()]

    def check_told_once(self, leak, judged_anew=False):
        """But for what has grown since it was told last: in severity, or to twice the rate. (Where another life
        has judged it anew, of what that has shown last.)"""
        def telling():
            return [e for e in self.events()
                    if e["leak"]["id"] == leak and e["event"] in ("opened", "grew")]
        wait_until(lambda: self.get(f"/v1/leaks/{leak}")["times_told"] == len(telling()),
                   "as often as it was told there are events")
        told = [(e["event"], e["leak"]["severity"], e["leak"]["bytes_per_hour"]) for e in telling()]
        print(f"# told: {told}", flush=True)
        equal([event for event, _, _ in told], ["opened"] + ["grew"] * (len(told) - 1), "how it was told")
        for (_, severity, rate), (_, new_severity, new_rate) in [] if judged_anew else zip(told, told[1:]):
            assert SEVERITIES.index(new_severity) > SEVERITIES.index(severity) or \
                new_rate > 1.99 * rate, f"told again without a reason: {told}"

    def wait_gone(self):
        """Until no target is left: those that exited stay listed for a tick or two."""
        for t in self.targets():
            self.request("DELETE", "/v1/targets/" + t["id"])
        wait_until(lambda: self.targets() == [], "all targets are gone")

    def seepctl(self, *arguments, **options):
        return seepctl("--socket", self.socket, *arguments, **options)

    def end_symbolizers(self):
        def are_gone():
            for child in symbolizers_of(self.pid):
                kill_if_there(child)
            return {comm_of(c) for c in children_of(self.pid)} <= set(HELPERS)
        wait_until(are_gone, "children of seepd are gone")

    def check_back(self):
        """Memory and descriptors are where they were before the targets came."""
        self.wait_gone()
        # The symbolizer's child is disposable: it would leave by itself after a while.
        self.end_symbolizers()
        wait_equal(self.own_descriptors, self.descriptors, "descriptors are back")
        wait_until(lambda: rss_bytes(self.pid) <= self.rss + RSS_TOLERANCE_BYTES,
                   f"memory of seepd is back at {self.rss} bytes (now {rss_bytes(self.pid)})")

    def stop(self):
        """SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(DEADLINE)

    def __enter__(self):
        return self

    def __exit__(self, kind, exception, trace):
        try:
            if kind is None and self.check and self.process.poll() is None:
                self.check_back()
                equal(self.stop(), 0, f"exit status of seepd; it says: {self.log()}")
                assert not os.path.exists(self.socket), "the socket file is left"
        finally:
            if kind is not None:
                for line in self.log().splitlines():
                    print(f"# seepd says: {line}")
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait(DEADLINE)
            self.folder.cleanup()


class Result:
    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"status {self.status}, out {self.out[-500:]!r}, err {self.err[-500:]!r}"


def environment(**changes):
    """The caller's, without what steers the programs."""
    clean = {k: v for k, v in os.environ.items()
             if k not in ("SEEP_SOCKET", "NO_COLOR", "NOTIFY_SOCKET")}
    clean.update(changes)
    return clean


def seepctl(*arguments, stdin=b"", text=True, timeout=120, **options):
    options.setdefault("env", environment())
    process = subprocess.run(
        [SEEPCTL, *[str(a) for a in arguments]], input=stdin, capture_output=True,
        timeout=timeout, check=False, preexec_fn=options.pop("preexec_fn", die_with_parent),
        **options)
    if not text:
        return Result(process.returncode, process.stdout, process.stderr)
    return Result(process.returncode, process.stdout.decode(), process.stderr.decode())


def run_command(command, *options, stdin=b"", timeout=120, **more):
    """seepctl run; returns the result and the report."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "report.json")
        result = seepctl("run", "-j", "-o", path, *options, "--", *command, stdin=stdin,
                         timeout=timeout, **more)
        assert os.path.exists(path), f"no report: {result}"
        with open(path, encoding="utf-8") as f:
            return result, json.load(f)


def free_port():
    """A TCP port of this machine that nobody has, nor gets without asking for it: it is none of those
    that the kernel gives by itself."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
        first = int(f.read().split()[0])
    while True:
        port = random.randrange(first // 2, first)
        with contextlib.suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return port


def last_json(text):
    """The truth is the last line that a workload prints."""
    return json.loads(text.strip().splitlines()[-1])


def main(tests, requires=()):
    """Runs all functions named test_*, in order, and prints TAP."""
    word = os.environ.get("SEEP_CASE", "")
    chosen = [(name[5:], f) for name, f in tests.items()
              if name.startswith("test_") and callable(f) and word in name]
    print(f"1..{len(chosen)}", flush=True)
    bad = 0
    for number, (name, function) in enumerate(chosen, 1):
        start = time.monotonic()
        try:
            for path in requires:
                if not os.path.exists(path):
                    raise Skip(f"{path} is not there")
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as why:
            print(f"ok {number} - {name} # SKIP {why}", flush=True)
        except BaseException as error:
            bad += 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            if isinstance(error, KeyboardInterrupt):
                raise
        print(f"# {time.monotonic() - start:.1f} s", flush=True)
    sys.exit(1 if bad else 0)
