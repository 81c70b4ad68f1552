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
import re
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

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("BUILD", os.path.join(ROOT, "build")))
SEEPD = os.path.join(BUILD, "seepd")
SEEPCTL = os.path.join(BUILD, "seepctl")

# What the daemon may keep of targets that are gone: names of their files, and what its allocator
# does not give back. Measured over the whole tier; a leak per request or target is far above it.
RSS_TOLERANCE_BYTES = 8 << 20

# What holds, holds at once on an idle machine; this is for one that others keep busy.
DEADLINE = 60.0

SEVERITIES = ("low", "medium", "high", "critical")

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Skip(Exception):
    """The test cannot run here; says why."""


def die_with_parent():
    """For preexec_fn: nothing of a test outlives it, even if it is killed."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def wait_until(condition, what, deadline=DEADLINE):
    """Waits until condition() is true, and returns what it returned. The last look begins after the
    deadline: this process may have stood still until then."""
    end = time.monotonic() + deadline
    while True:
        is_last = time.monotonic() > end
        result = condition()
        if result:
            return result
        if is_last:
            raise AssertionError(f"not within {deadline} s: {what}")
        select.select([], [], [], 0.02)


def wait_equal(get, expected, what, deadline=DEADLINE):
    """Waits until get() returns what is expected; says what it returned last if it never does."""
    end = time.monotonic() + deadline
    while True:
        is_last = time.monotonic() > end
        got = get()
        if got == expected:
            return
        if is_last:
            raise AssertionError(f"{what}:\n   got      {got}\n   expected {expected}")
        select.select([], [], [], 0.02)


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}:\n   got      {got!r}\n   expected {expected!r}")


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


def rss_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    return 0


# A process, a thread or a descriptor has gone since it was listed. (Of a link in /proc whose process is
# gone the kernel may also say that it must not be read.)
GONE = (FileNotFoundError, ProcessLookupError, PermissionError)


def listed(path):
    """The names in a folder of /proc; none of a process that is gone."""
    with contextlib.suppress(*GONE):
        return os.listdir(path)
    return []


def link_of(path):
    """Where a link of /proc leads; None if it is gone."""
    with contextlib.suppress(*GONE):
        return os.readlink(path)
    return None


def descriptors(pid):
    """How many of each kind a process has open; of one that is gone, none."""
    found = {}
    for fd in listed(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{fd}"
        link = link_of(path)
        if link is None:
            continue
        kind = "folder" if os.path.isdir(path) else re.sub(r":\[\d+\]$", "", link)
        found[kind] = found.get(kind, 0) + 1
    return found


def children_of(pid):
    found = []
    for task in listed(f"/proc/{pid}/task"):
        with contextlib.suppress(*GONE):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(p) for p in f.read().split()]
    return found


HELPERS = ("seep-probes", "seep-windows", "seep-prices")


def comm_of(pid):
    """None if it is gone."""
    with contextlib.suppress(*GONE):
        with open(f"/proc/{pid}/comm", encoding="ascii") as f:
            return f.read().strip()
    return None


def state_of(pid):
    """The letter of its state: R, S, ..."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def children_named(pid, name):
    return [c for c in children_of(pid) if comm_of(c) == name]


def child_named(pid, name):
    """The only one. A child that was just forked is still to take its name, and one that died may not
    have been waited for yet."""
    wait_until(lambda: len(children_named(pid, name)) == 1, f"{pid} has one child named {name}")
    return children_named(pid, name)[0]


def child_that_runs(pid, program):
    """The only child that has executed a program of this name."""
    def found():
        of = [c for c in children_of(pid)
              if os.path.basename(link_of(f"/proc/{c}/exe") or "") == program]
        return of if len(of) == 1 else None
    return wait_until(found, f"{pid} has one child that runs {program}")[0]


def kill_if_there(pid):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def symbolizers_of(pid):
    """The children that read ELF files, and who else is disposable; the others have names of their own,
    and until they have taken them that of seepd."""
    return [c for c in children_of(pid) if comm_of(c) not in (None, "seepd", *HELPERS)]


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

    def check_told_once(self, leak):
        """But for what has grown since it was told last: in severity, or to twice the rate."""
        def telling():
            return [e for e in self.events()
                    if e["leak"]["id"] == leak and e["event"] in ("opened", "grew")]
        wait_until(lambda: self.get(f"/v1/leaks/{leak}")["times_told"] == len(telling()),
                   "as often as it was told there are events")
        told = [(e["event"], e["leak"]["severity"], e["leak"]["bytes_per_hour"]) for e in telling()]
        print(f"# told: {told}", flush=True)
        equal([event for event, _, _ in told], ["opened"] + ["grew"] * (len(told) - 1), "how it was told")
        for (_, severity, rate), (_, new_severity, new_rate) in zip(told, told[1:]):
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


FIGURES = ("allocated_count", "allocated_bytes", "freed_count", "freed_bytes")


def bare_name(function):
    """caller_new(unsigned long) -> caller_new"""
    return re.sub(r"\(.*", "", function or "")


def by_function(sites):
    """{function: figures} of sites that were summed up by function."""
    found = {}
    for site in sites:
        name = bare_name(site["frames"][0]["function"]) if site["frames"] else ""
        figures = found.setdefault(name, dict.fromkeys(FIGURES, 0))
        for key in FIGURES:
            figures[key] += site[key]
        equal(site["live_count"], site["allocated_count"] - site["freed_count"],
              f"live count of {name}")
        equal(site["live_bytes"], site["allocated_bytes"] - site["freed_bytes"],
              f"live bytes of {name}")
    return found


def only(found, names):
    return {name: found.get(name) for name in names}


def losses(target):
    """What was lost, without the zeros."""
    return {k: v for k, v in target["coverage"]["lost"].items() if v}


def check_nothing_lost(target):
    equal(losses(target), {}, f"losses of {target['comm']}")


class Moved(Exception):
    """What a process has mapped has changed while it was read."""


def executable_mappings(pid):
    """(start, end, offset, path) of the mappings of files, as the kernel lists them."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as f:
        for line in f:
            fields = line.split(maxsplit=5)
            if len(fields) < 6 or "x" not in fields[1] or not fields[5].startswith("/"):
                continue
            start, end = (int(x, 16) for x in fields[0].split("-"))
            found.append((start, end, int(fields[2], 16), fields[5].strip()))
    return found


def changed_bytes(pid):
    """Where the code in a process's memory differs from its files: breakpoints, if there are any."""
    for _ in range(100):
        with contextlib.suppress(Moved):
            return read_changed_bytes(pid)
        select.select([], [], [], 0.02)
    raise AssertionError(f"mappings of {pid} do not stand still")


def read_range(pid, memory, start, end, offset):
    """(what the file has, what the memory has)"""
    try:
        with open(f"/proc/{pid}/map_files/{start:x}-{end:x}", "rb") as f:
            f.seek(offset)
            expected = f.read(end - start)
        memory.seek(start)
        got = memory.read(len(expected))
    except OSError as error:  # such as by an exec
        os.stat(f"/proc/{pid}")
        raise Moved from error
    if len(got) < len(expected):
        raise Moved
    return expected, got


def read_changed_bytes(pid):
    found = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end, offset, path in executable_mappings(pid):
            expected, got = read_range(pid, memory, start, end, offset)
            if got == expected:
                continue
            found += [f"{path}+{offset + i:#x}: {got[i]:#x}" for i in range(len(expected))
                      if got[i] != expected[i]]
    return found


def probes_on_libc(pid):
    """Those of the allocator; the dynamic linker keeps its one."""
    return [c for c in changed_bytes(pid) if "/libc" in c]


def check_no_breakpoints(pid):
    wait_equal(lambda: changed_bytes(pid), [], f"code of {pid} is as in its files")


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
