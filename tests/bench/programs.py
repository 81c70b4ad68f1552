# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs whose throughput is measured: a way to start each, to load it, and to count its work.

All of them listen on loopback only, at ports that were free, in folders of their own, and end by
their pid.
"""

import contextlib
import http.client
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import seep  # noqa: E402 pylint: disable=wrong-import-position

PYTHON = "/usr/bin/python3"
DEMO = os.path.join(seep.ROOT, "tests", "demo")

# A web service's work without the web: what comes in is parsed, looked up, changed and answered.
PYTHON_LOAD = r"""
import json, sys, time
requests, answers = open(int(sys.argv[1])), open(int(sys.argv[2]), "w", buffering=1)
text = json.dumps({"user": 42, "items": [{"id": i, "name": "item %d" % i, "price": i * 1.5,
                                          "tags": ["a", "b", "c"]} for i in range(50)]})
kept = {}
for line in requests:
    seconds, n, start = float(line), 0, time.monotonic()
    while time.monotonic() - start < seconds:
        order = json.loads(text)
        order["total"] = sum(item["price"] for item in order["items"])
        kept[n % 100] = json.dumps(order)
        n += 1
    answers.write("%d %.9f\n" % (n, time.monotonic() - start))
"""

NGINX_CONFIGURATION = """
daemon off; master_process off; pid {folder}/pid; error_log {folder}/error;
events {{ }}
http {{
  access_log off; keepalive_requests 1000000; client_body_temp_path {folder}/a;
  proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
  scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}; location = /status {{ stub_status; }} }}
}}
"""

SETTLE_SECONDS = 1.0  # under load, before anything is measured


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def find_program(pid, name):
    """The process that runs the program: @pid, or one of its children if that is a wrapper."""
    with contextlib.suppress(OSError):
        if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith(name):
            return pid
        for child in seep.children_of(pid):
            found = find_program(child, name)
            if found:
                return found
    return None


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cores():
    """(of the program, of its load): apart, where there are two. Left alone the scheduler has both
    on one core in some windows and not in others, which moves throughput by a third."""
    every = sorted(os.sched_getaffinity(0))
    return (set(every[:1]), set(every[1:])) if len(every) > 1 else (set(every), set(every))


@contextlib.contextmanager
def started(command, log=None, on=None, **options):
    """A process that ends with the context: by SIGTERM if it still runs, by SIGKILL if it must.
    @on: the cores that it may use."""
    def prepare():
        seep.die_with_parent()
        if on:
            os.sched_setaffinity(0, on)

    with open(log or os.devnull, "ab") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                   preexec_fn=prepare, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


class Window:
    """Operations, seconds and CPU seconds of one measurement."""

    def __init__(self, operations, seconds, cpu):
        self.rate = operations / seconds
        self.cpu_per_operation = cpu / operations


class Program:
    """One that runs in a folder, perhaps under a wrapper. Subclasses start, load and count it."""

    name = ""
    load_name = ""
    unit = ""
    executable = ""  # how its name begins
    needs = ()
    changes = False  # what it has done so far alters how fast it is

    def __init__(self, folder, prefix=()):
        self.folder = folder
        self.prefix = list(prefix)
        self.pid = None

    @classmethod
    def why_not(cls):
        for program in cls.needs:
            if not shutil.which(program):
                return f"{program} is not installed"
        return None

    def await_pid(self, process):
        def found():
            if process.poll() is not None:
                raise AssertionError(f"{self.name} ended with {process.returncode}")
            return find_program(process.pid, self.executable)
        self.pid = seep.wait_until(found, f"{self.name} runs")

    def log(self):
        return os.path.join(self.folder, "log")

    def end(self, process):
        """The program first: a wrapper tidies up when it sees that end."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)


class Server(Program):
    """Under a load of its own process; counter() tells how much it has done so far."""

    @contextlib.contextmanager
    def running(self):
        self.port = free_port()
        with started([*self.prefix, *self.command()], log=self.log(),
                     on=cores()[0]) as process:
            self.await_pid(process)
            seep.wait_until(lambda: is_listening(self.port), f"{self.name} listens")
            try:
                yield
            finally:
                self.end(process)

    @contextlib.contextmanager
    def loaded(self):
        with started(self.load(), log=self.log(), on=cores()[1]) as load:
            time.sleep(SETTLE_SECONDS)
            yield
            if load.poll() is not None:
                raise AssertionError(f"the load of {self.name} ended with {load.returncode}")

    def measure(self, seconds):
        cpu, before, start = cpu_seconds(self.pid), self.counter(), time.monotonic()
        time.sleep(seconds)
        operations, elapsed = self.counter() - before, time.monotonic() - start
        return Window(operations, elapsed, cpu_seconds(self.pid) - cpu)


class Redis(Server):
    name = "redis-server"
    load_name = "redis-benchmark, SET of 64 bytes"
    unit = "commands"
    executable = "redis-"
    needs = ("redis-server", "redis-benchmark")

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", self.folder]

    def load(self):
        return ["redis-benchmark", "-p", str(self.port), "-t", "set", "-d", "64", "-r", "100000",
                "-c", "20", "-n", "100000000", "-q", "-l"]

    def counter(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as s:
            s.sendall(b"INFO stats\r\n")
            answer = b""
            while b"total_commands_processed:" not in answer or not answer.endswith(b"\r\n"):
                answer += s.recv(65536)
        return int(answer.split(b"total_commands_processed:")[1].split(b"\r\n")[0])


class Nginx(Server):
    name = "nginx"
    load_name = "wrk, a file of 4 KiB"
    unit = "requests"
    executable = "nginx"
    needs = ("nginx", "wrk")

    def command(self):
        os.chmod(self.folder, 0o755)
        with open(os.path.join(self.folder, "index.html"), "w", encoding="ascii") as f:
            f.write("seep" * 1024)
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(NGINX_CONFIGURATION.format(folder=self.folder, port=self.port))
        return ["nginx", "-c", path, "-p", self.folder, "-e", f"{self.folder}/error"]

    def load(self):
        return ["wrk", "-t", "1", "-c", "20", "-d", "86400",
                f"http://127.0.0.1:{self.port}/index.html"]

    def counter(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/status")
            lines = connection.getresponse().read().decode().splitlines()
        finally:
            connection.close()
        return int(lines[2].split()[2])


class FastApi(Server):
    """The service of make demo, asked for pages as fast as it answers: nothing leaks."""

    name = "fastapi"
    load_name = "wrk, a page of JSON"
    unit = "requests"
    executable = "python3"
    needs = (PYTHON, "wrk")
    request = "/asked"

    @classmethod
    def why_not(cls):
        result = subprocess.run([PYTHON, "-c", "import fastapi, uvicorn, websockets"],
                                check=False, capture_output=True)
        return "FastAPI is not installed (make deps)" if result.returncode else super().why_not()

    def command(self):
        return [PYTHON, "-B", "-m", "uvicorn", "telemetry:app", "--app-dir", DEMO, "--port",
                str(self.port), "--log-level", "warning"]

    def load(self):
        return ["wrk", "-t", "1", "-c", "20", "-d", "86400",
                f"http://127.0.0.1:{self.port}/asked"]

    def counter(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", self.request)
            return int(connection.getresponse().read())
        finally:
            connection.close()


class Story(FastApi):
    """The service of make demo under its load: it leaks, and the more it has leaked, the longer
    its collector takes."""

    name = "story"
    load_name = "500 readings a second on 50 WebSockets, three tasks each, one leaked"
    unit = "readings"
    needs = (PYTHON,)
    changes = True
    request = "/received"

    def load(self):
        return [PYTHON, os.path.join(DEMO, "devices.py"), str(self.port), "500", "86400"]


class Loop(Program):
    """Works for as long as it is asked to, and is idle in between."""

    @contextlib.contextmanager
    def running(self):
        from_us, self.requests = os.pipe()
        self.answers, to_us = os.pipe()
        try:
            with started([*self.prefix, *self.command(from_us, to_us)], log=self.log(),
                         pass_fds=(from_us, to_us)) as process:
                os.close(from_us)
                os.close(to_us)
                self.await_pid(process)
                self.work(0.1)
                try:
                    yield
                finally:
                    self.end(process)
        finally:
            os.close(self.requests)
            os.close(self.answers)

    @contextlib.contextmanager
    def loaded(self):
        self.work(SETTLE_SECONDS)
        yield

    def measure(self, seconds):
        cpu = cpu_seconds(self.pid)
        operations, elapsed = self.work(seconds)
        return Window(operations, elapsed, cpu_seconds(self.pid) - cpu)


class Json(Loop):
    name = "python3"
    load_name = "a loop that parses and writes JSON"
    unit = "documents"
    executable = "python3"
    needs = (PYTHON,)

    def command(self, from_us, to_us):
        return [PYTHON, "-I", "-c", PYTHON_LOAD, str(from_us), str(to_us)]

    def work(self, seconds):
        os.write(self.requests, f"{seconds}\n".encode())
        answer = b""
        while not answer.endswith(b"\n"):
            data = os.read(self.answers, 256)
            assert data, "the JSON loop has ended"
            answer += data
        n, elapsed = answer.split()
        return int(n), float(elapsed)


class Pairs(Loop):
    """tests/bench/loop.c; the records are those of loop.h."""

    name = "malloc and free"
    load_name = "pairs and nothing else, the worst case"
    unit = "pairs"
    executable = "loop"
    request = struct.Struct("=IIII")
    answer = struct.Struct("=QQ" + "24x" + "1024x")
    depth = 5

    def command(self, from_us, to_us):
        return [os.path.join(seep.BUILD, "bench", "loop"), str(from_us), str(to_us)]

    def work(self, seconds):
        os.write(self.requests,
                 self.request.pack(ord("p"), int(1000 * seconds), self.depth, 0))
        data = b""
        while len(data) < self.answer.size:
            more = os.read(self.answers, self.answer.size - len(data))
            assert more, "loop has ended"
            data += more
        ns, pairs = self.answer.unpack(data)
        return pairs, ns / 1e9


ALL = (Redis, Nginx, Json, FastApi, Story, Pairs)
