# SPDX-License-Identifier: GPL-2.0-or-later
"""Real servers under a load that keeps their time, and the functions in which leaks are planted.

All listen on loopback only, at ports that were free, in folders of their own, and end by their pid.
How much they do in a minute is by the day's curve: half of the mean at night, half more by day.
"""

import contextlib
import glob
import math
import os
import pwd
import random
import re
import shutil
import socket
import subprocess

from watching import DAY, seep

UNFREE = os.path.abspath(os.path.join(seep.BUILD, "eval", "ld-unfree.so"))
PYTHON = "/usr/bin/python3"


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


class Planted:
    """A function in which a leak is planted: by its name, or as a range of a module's addresses.

    Of each service one is chosen that is at most three frames outside of the allocator, because so
    many are named when several stacks share a leak.
    """

    def __init__(self, name, module="", begin=0, end=0):
        self.name = name
        self.module = module
        self.begin = begin
        self.end = end

    def setting(self):
        return f"{self.module}+{self.begin:x}-{self.end:x}" if self.module else self.name

    def is_in(self, frame):
        if seep.bare_name(frame["function"]) == self.name:
            return True
        module = os.path.basename(frame["module"] or "")
        return bool(self.module) and module.startswith(self.module) and \
            self.begin < (frame["offset"] or 0) <= self.end


def exported(path, name, module):
    """An exported function of a library that may be loaded late, as the linker's table has it."""
    out = subprocess.run(["nm", "-DS", "--defined-only", path], capture_output=True, check=True,
                         text=True).stdout
    begin, size = re.search(rf"^(\w+) (\w+) T {name}(?:@\S*)?$", out, re.MULTILINE).groups()
    return Planted(name, module, int(begin, 16), int(begin, 16) + int(size, 16))


def build_id(path):
    out = subprocess.run(["readelf", "-n", path], capture_output=True, check=True, text=True).stdout
    found = re.search(r"Build ID: (\w+)", out)
    return found[1] if found else ""


class Service:
    """Subclasses start it, say which process is watched, and do a minute's work."""

    name = ""
    title = ""
    needs = ()
    share = 0.0     # of the planted function's blocks whose free is not passed on
    limit_mib = 0   # of all its processes together
    per_minute = 0  # requests, in the mean
    renews = False  # its processes come and go: all that are in its cell are watched

    def __init__(self, folder, environment, preexec):
        self.folder = folder
        self.environment = environment
        self.preexec = preexec
        self.random = random.Random(7)
        self.port = seep.free_port()
        self.process = None

    @classmethod
    def why_not(cls):
        for program in cls.needs:
            if not cls.find(program):
                return f"{program} is not installed"
        return None

    @staticmethod
    def find(program):
        if os.path.isabs(program):
            return program if os.path.exists(program) else None
        return shutil.which(program)

    @classmethod
    def planted(cls):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def begin(self):
        """After it listens: what its load needs."""

    def pid(self):
        return self.process.pid

    def work(self, minute, n):
        """Does n requests and waits for their answers."""
        raise NotImplementedError

    def finish(self):
        """Before it ends: what its load has open."""

    def start(self, command, **options):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder,
                                    env=self.environment, preexec_fn=self.preexec, **options)

    def requests_at(self, minute):
        return round(self.per_minute * (1 - 0.5 * math.cos(2 * math.pi * minute / DAY)))

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8", errors="replace") as f:
            return f.read()[-1000:]

    @contextlib.contextmanager
    def running(self):
        self.process = self.start(self.command(), stdin=subprocess.DEVNULL)
        try:
            seep.wait_until(lambda: self.process.poll() is not None or is_listening(self.port),
                            f"{self.name} listens")
            assert self.process.poll() is None, f"{self.name} ended: {self.log()}"
            self.begin()
            yield
            # The limit may have ended it.
            with contextlib.suppress(OSError):
                self.finish()
        finally:
            if self.process.poll() is None:
                self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)


class Socket:
    """A connection of a load."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.answers = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)

    def lines_until(self, *last):
        while True:
            line = self.answers.readline()
            assert line, "the connection was closed"
            if line.startswith(last):
                return

    def close(self):
        self.answers.close()
        self.socket.close()


class Redis(Service):
    """Keys come and are evicted, as in a cache that is in use for long."""

    name = "redis"
    title = "allkeys-lru, SET and GET"
    needs = ("redis-server",)
    share = 0.3
    limit_mib = 80
    per_minute = 100
    keys = 400000

    @classmethod
    def planted(cls):
        # Of each new key the name and the entry; found among the exported names (nm -D), freed
        # when the key is evicted.
        return Planted("dbAdd")

    def command(self):
        return ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--dir", self.folder, "--maxmemory", "24mb", "--maxmemory-policy", "allkeys-lru"]

    def begin(self):
        self.connection = Socket(self.port)

    def work(self, minute, n):
        commands = []
        for _ in range(n):
            # Some keys are asked for far more often than others.
            key = b"session:%06d:" % int(self.keys * self.random.random() ** 2) + b"k" * 200
            value = b"v" * self.random.randrange(50, 500)
            commands.append(b"*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" %
                            (len(key), key, len(value), value))
        self.connection.send(b"".join(commands))
        for _ in range(n):
            self.connection.lines_until(b"+OK")

    def finish(self):
        self.connection.close()


class Memcached(Service):
    name = "memcached"
    title = "set, get, stats"
    needs = ("memcached",)
    share = 0.2
    limit_mib = 40
    per_minute = 20

    # Found by seepctl trace under this load: what allocates for each "stats" and is freed with the
    # connection's answer. It has no exported names; the range is the function's in .eh_frame.
    known = {"cb4951e778913a1598cb9fa92e8c377dfc545320": (0x9340, 0x93f0)}

    @classmethod
    def why_not(cls):
        why = super().why_not()
        if not why and build_id(cls.find("memcached")) not in cls.known:
            why = "another build than those whose functions are known here"
        return why

    @classmethod
    def planted(cls):
        begin, end = cls.known[build_id(cls.find("memcached"))]
        return Planted("grow_stats_buf", "memcached", begin, end)

    def command(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return ["memcached", *user, "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", "-m", "16",
                "-t", "1"]

    def begin(self):
        self.connection = Socket(self.port)

    def work(self, minute, n):
        if minute % 60 == 0:
            self.connection.close()
            self.connection = Socket(self.port)
        for i in range(n):
            key, value = self.random.randrange(20000), b"v" * self.random.randrange(50, 2000)
            self.connection.send(b"set k%d 0 0 %d\r\n%s\r\n" % (key, len(value), value))
            self.connection.lines_until(b"STORED", b"SERVER_ERROR")
            self.connection.send(b"get k%d\r\n" % self.random.randrange(20000))
            self.connection.lines_until(b"END")
            if i % 7 == 0:
                self.connection.send(b"stats\r\n")
                self.connection.lines_until(b"END")

    def finish(self):
        self.connection.close()


class Nginx(Service):
    """Every other day its configuration is read again: new workers, and with them new lives."""

    name = "nginx"
    title = "a small file, reloads"
    needs = ("nginx",)
    share = 0.05
    limit_mib = 40
    per_minute = 40
    renews = True
    configuration = """
daemon off; pid {folder}/pid; error_log {folder}/error; worker_processes 1;
events {{ }}
http {{
  access_log off; keepalive_requests 1000; client_body_temp_path {folder}/a;
  proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
  scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""

    @classmethod
    def planted(cls):
        # A request's memory: exported (nm -D), one for each and for its connection, freed with them.
        return Planted("ngx_create_pool")

    def command(self):
        with open(os.path.join(self.folder, "index.html"), "w", encoding="ascii") as f:
            f.write("seep" * 256)
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(self.configuration.format(folder=self.folder, port=self.port))
        return ["nginx", "-c", path, "-p", self.folder, "-e", f"{self.folder}/error"]

    def work(self, minute, n):
        if minute and minute % (2 * DAY) == 0:
            with open(os.path.join(self.folder, "pid"), encoding="ascii") as f:
                os.kill(int(f.read()), 1)
        connection = Socket(self.port)
        connection.send(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n" * (n - 1) +
                        b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        while connection.answers.read(65536):
            pass
        connection.close()


class Postgres(Service):
    """One backend, as of a pool of connections, that answers statements of several kinds."""

    name = "postgresql"
    title = "a backend that sorts and groups"
    share = 0.2
    limit_mib = 90
    per_minute = 8
    programs = "/usr/lib/postgresql/*/bin"
    statements = (
        "select count(*), sum(k) from generate_series(1, {n}) k group by k % 7 order by 1;",
        "select relname, count(*) from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "group by relname order by 2 desc limit 5;",
        "select k, repeat('x', k % 50) from generate_series(1, {n}) k order by 2 limit 3;",
    )

    @classmethod
    def where(cls):
        found = [p for p in sorted(glob.glob(cls.programs))
                 if os.path.exists(os.path.join(p, "initdb"))]
        return found[-1] if found else None

    @classmethod
    def why_not(cls):
        if not cls.where():
            return f"postgres is not installed ({cls.programs})"
        if os.geteuid() == 0 and not shutil.which("setpriv"):
            return "setpriv is not installed"
        try:
            pwd.getpwnam("postgres")
        except KeyError:
            return "there is no user postgres"
        return None

    @classmethod
    def planted(cls):
        # A statement's table of groups: exported (nm -D), freed with the statement.
        return Planted("tuplehash_create")

    @staticmethod
    def as_postgres():
        return ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]

    def command(self):
        data = os.path.join(self.folder, "data")
        os.mkdir(data, 0o700)
        shutil.chown(data, "postgres", "postgres")
        subprocess.run([*self.as_postgres(), f"{self.where()}/initdb", "-D", data, "-A", "trust",
                        "-N"], check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60)
        return [*self.as_postgres(), f"{self.where()}/postgres", "-D", data, "-h", "127.0.0.1",
                "-p", str(self.port), "-k", data, "-c", "shared_buffers=16MB"]

    def begin(self):
        # The port is open before it accepts anybody.
        seep.wait_until(lambda: subprocess.run(
            [f"{self.where()}/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            check=False).returncode == 0, "postgres accepts")
        self.client = subprocess.Popen(
            [f"{self.where()}/psql", "-XqAt", "-h", "127.0.0.1", "-p", str(self.port), "-U",
             "postgres", "postgres"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            bufsize=1, preexec_fn=seep.die_with_parent, cwd=self.folder)
        self.client.stdin.write("select pg_backend_pid();\n")
        self.backend = int(self.client.stdout.readline())

    def pid(self):
        return self.backend

    def work(self, minute, n):
        for _ in range(n):
            statement = self.random.choice(self.statements)
            self.client.stdin.write(statement.format(n=self.random.randrange(50, 500)) + "\n")
        self.client.stdin.write("\\echo minute is over\n")
        while True:
            line = self.client.stdout.readline()
            assert line, "the backend has ended"
            if line == "minute is over\n":
                return

    def finish(self):
        self.client.stdin.close()
        self.client.wait(20)
        self.client.stdout.close()


class Script(Service):
    """A Python program that is told how many requests to do and says when they are done."""

    needs = (PYTHON, "nm")
    script = ""

    def command(self):
        return [PYTHON, "-I", "-c", self.script]

    @contextlib.contextmanager
    def running(self):
        self.process = self.start_script()
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(20)
            self.process.stdout.close()

    def start_script(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            return subprocess.Popen(self.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=log, env=self.environment, preexec_fn=self.preexec,
                                    cwd=self.folder, text=True, bufsize=1)

    def work(self, minute, n):
        self.process.stdin.write(f"{n}\n")
        assert self.process.stdout.readline(), f"{self.name} has ended: {self.log()}"


class Sqlite(Script):
    name = "sqlite"
    title = "a database in memory, statements of their own"
    share = 0.3
    limit_mib = 40
    per_minute = 6
    script = r"""
import sqlite3, sys
db = sqlite3.connect(":memory:", cached_statements=16)
db.execute("create table t (k integer primary key, v text)")
n = 0
for line in sys.stdin:
    for _ in range(int(line)):
        n += 1
        db.execute("insert or replace into t values (?, ?)", (n * 7919 % 1009, "v" * (n % 3001)))
        db.execute(f"select v, k, {n} from t where k < {n % 97} order by v desc limit 13").fetchall()
    db.commit()
    print(n, flush=True)
"""
    library = "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0"

    @classmethod
    def why_not(cls):
        return super().why_not() or \
            (None if os.path.exists(cls.library) else f"{cls.library} is not installed")

    @classmethod
    def planted(cls):
        # A parser for each new statement: exported (nm -D), freed when the statement is prepared.
        return exported(cls.library, "sqlite3ParserAlloc", os.path.basename(cls.library))


class Python(Script):
    name = "python"
    title = "a service that reads and writes JSON"
    share = 0.1
    limit_mib = 28
    per_minute = 6
    script = r"""
import json, sys
kept, n = {}, 0
for line in sys.stdin:
    for _ in range(int(line)):
        n += 1
        text = json.dumps({"n": n, "list": ["x" * (n % 3001) + str(i) for i in range(5)]})
        kept[n % 97] = json.loads(text)
    print(n, flush=True)
"""

    @classmethod
    def planted(cls):
        # Strings too large for Python's own pools: exported by the interpreter (nm -D).
        return Planted("PyUnicode_New")


ALL = (Redis, Memcached, Nginx, Postgres, Sqlite, Python)
