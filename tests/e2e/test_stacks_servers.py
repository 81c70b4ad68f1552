#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Stacks of Debian's own programs under load: nearly all are whole, and gdb sees the same.

Nothing of theirs is built with frame pointers. STACKS_LONG=1: all of them, ten seconds each; else
python and redis, some seconds.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import seep

LONG = bool(os.environ.get("STACKS_LONG"))
SECONDS = 10 if LONG else 4
WHOLE = 0.995   # share of allocations whose stack must reach its end
MATCHED = 0.95  # share of gdb's stacks that seep must have seen, too
SAMPLES = 211   # of gdb
ENOUGH = 7      # of them, where gdb is slow
PYTHON_ENOUGH = 101   # the same of Python, which waits for nobody
PYTHON_DIFFERENT = 7  # of these
PYTHON_OWN = 23       # of these have frames of the interpreter's that seep has to keep
FRAMES = 127
GDB_SECONDS = 60 if LONG else 23
GDB = os.path.join(seep.ROOT, "tests/stacks/gdb_chains.py")

PYTHON_LOAD = r"""
import json, re, sqlite3
db = sqlite3.connect(":memory:")
db.execute("create table t (k integer primary key, v text)")
word = re.compile(r"(?P<key>[a-z]+)=(?P<value>\d+)")
kept = {}
n = 0
while True:
    n += 1
    text = json.dumps({"n": n, "list": [{"key%d" % i: "v" * i} for i in range(n % 211)]})
    kept[n % 997] = json.loads(text)
    kept[-n % 499] = word.sub(lambda m: m.group("value") * 7, "count=%d " % n * 101)
    db.execute("insert or replace into t values (?, ?)", (n % 1009, text))
    if n % 53 == 0:
        db.commit()
        sorted(db.execute("select v, k from t order by v desc limit 503").fetchall())
    if n % 10007 == 0:
        re.purge()
"""


REDIS_LOADS = [["-t", "set"], ["-t", "lpush"], ["-t", "lpop"], ["-t", "hset"], ["-t", "zadd"],
               ["eval", "return redis.call('append', 'k' .. ARGV[1] % 97, ARGV[1])", "0",
                "__rand_int__"]]


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            raise seep.Skip(f"{program} is not installed")


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


@contextlib.contextmanager
def started(command, **options):
    """A process that ends with the context."""
    options.setdefault("stdout", subprocess.DEVNULL)
    options.setdefault("stderr", subprocess.DEVNULL)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                               preexec_fn=seep.die_with_parent, **options)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(20)


def trace(pid):
    result = seep.seepctl("trace", pid, "--for", f"{SECONDS}s", "--exact", "-j", "--limit", "1000",
                          "--sort", "allocated", "--max-frames", FRAMES)
    seep.equal(result.status, 0, f"trace: {result}")
    return result.json


def wait_for_gdb(gdb, seconds):
    """What it says; None if it goes on."""
    try:
        return gdb.communicate(timeout=seconds)[0].decode()
    except subprocess.TimeoutExpired:
        return None


def lines_of(path):
    with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
        return f.read().count(b"\n")
    return 0


def gdb_chains(pid, enough=ENOUGH):
    """What gdb sees where the allocator is called: [[(module, offset), ...], ...]."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "chains")
        settings = {"CHAINS_FILE": path, "CHAINS": str(SAMPLES), "DEBUGINFOD_URLS": ""}
        with started(["gdb", "-nx", "-batch", "-p", str(pid), "-x", GDB], stdout=subprocess.PIPE,
                     stderr=subprocess.STDOUT, env=os.environ | settings) as gdb:
            # It may be slow; whatever it has found by then is compared, if that is enough.
            begin = time.monotonic()
            said = wait_for_gdb(gdb, GDB_SECONDS)
            if said is None and lines_of(path) < enough:
                said = wait_for_gdb(gdb, seep.DEADLINE)
            if said is None:
                state = state_of(pid)
                gdb.kill()
                said = gdb.communicate()[0].decode()
                seconds = time.monotonic() - begin
                print(f"# gdb: not finished after {seconds:.0f} s; the process: {state}; the end "
                      f"of what it says: {said[-300:]!r}", flush=True)
        assert os.path.exists(path), f"gdb: {said[-2000:]}"
        with open(path, encoding="ascii") as f:
            return [[tuple(f.split()) for f in line.split(";")] for line in f.read().splitlines()]


def state_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return [line.strip() for line in f if line.startswith(("State", "SigPnd", "Tracer"))]


PYTHON = ("python", "0")  # one frame or more


def chain_of(site):
    """Of the frames that are really on the stack, and of Python."""
    return tuple(PYTHON if f["kind"] == "python" else
                 (os.path.realpath(f["module"]) if f["module"] else "?", str(f["offset"]))
                 for f in site["frames"] if f["kind"] in ("native", "python"))


def share_whole(name, report):
    coverage = report["target"]["coverage"]
    seen = coverage["allocations_seen"]
    cut = {k: v for k, v in coverage["truncated_stacks"].items() if v}
    depth = cut.pop("depth", 0)
    share = 1 - sum(cut.values()) / max(seen, 1)
    print(f"# {name}: {seen} allocations at {report['total']} sites, {share:.3%} whole, cut {cut}, "
          f"deeper than {FRAMES} frames {depth}, lost {seep.losses(report['target'])}", flush=True)
    for site in report["sites"]:
        if site["stack_status"] not in ("complete", "depth"):
            where = [f"{os.path.basename(f['module'] or '?')}:{f['function'] or hex(f['offset'])}"
                     for f in site["frames"]]
            print(f"#   {site['allocated_count']} {site['stack_status']}: {' < '.join(where[-5:])}")
    assert seen > 1009, f"{name} allocates"
    assert share >= WHOLE, f"{name}: {share:.3%} of stacks are whole, in truth all; cut {cut}"


class EvalLoop:
    """Where an interpreter runs Python. A native frame there is replaced by Python frames in what seep
    says, and the interpreter's own frames further out are left out."""

    def __init__(self, path):
        self.path = os.path.realpath(path)
        symbols = subprocess.run(["readelf", "-W", "-l", "--dyn-syms", self.path], check=True,
                                 capture_output=True, text=True).stdout.splitlines()
        fields = next(s.split() for s in symbols if s.endswith(" _PyEval_EvalFrameDefault"))
        loads = [[int(x, 16) for x in s.split()[1:5]] for s in symbols if s.startswith("  LOAD ")]
        address = int(fields[1], 16)
        self.begin = next(address - vaddr + offset for offset, vaddr, _, size in loads
                          if vaddr <= address < vaddr + size)
        self.end = self.begin + int(fields[2])

    def runs(self, frame):
        return frame[0] == self.path and self.begin <= int(frame[1]) < self.end

    def own(self, chain):
        """How many of its frames are kept in a reduced chain."""
        return sum(f[0] == self.path for f in chain)

    def reduce(self, chain):
        """As seep shall show it, where Python frames in a row are one."""
        kept = []
        for frame in chain:
            if frame == PYTHON or self.runs(frame):
                if PYTHON not in kept[-1:]:
                    kept.append(PYTHON)
            elif frame[0] != self.path or PYTHON not in kept:
                kept.append(frame)
        return tuple(kept)


def compare(name, report, chains, loop=None):
    """gdb's chains are among those that seep has seen."""
    known = loop.reduce if loop else tuple
    ours = {known(chain_of(s)) for s in report["sites"]}
    theirs = [known([(os.path.realpath(m) if m != "?" else m, o) for m, o in c]) for c in chains]
    missing = [c for c in theirs if c not in ours]
    share = 1 - len(missing) / max(len(theirs), 1)
    enough = PYTHON_ENOUGH if loop else ENOUGH
    print(f"# {name}: {len(theirs)} stacks of gdb (at least {enough}), {len(set(theirs))} different, "
          f"{sum(map(len, theirs))} frames of {sum(map(len, chains))}, {share:.1%} seen", flush=True)
    assert len(theirs) >= enough, f"{name}: gdb saw {len(theirs)} stacks only"
    if report["total"] > len(report["sites"]):
        print(f"# {name}: {report['total'] - len(report['sites'])} sites are not in the report")
    assert share >= MATCHED, f"{name}: gdb's stacks were seen to {share:.1%}, such as not:\n" + \
        "\n".join(difference(c, ours) for c in sorted(set(missing))[:3])
    if loop:
        check_python(name, theirs, loop)


def check_python(name, chains, loop):
    """What was compared is more than a few frames again and again."""
    different, own = len(set(chains)), sum(loop.own(c) > 0 for c in chains)
    print(f"# {name}: {different} different (at least {PYTHON_DIFFERENT}), {own} with frames of the "
          f"interpreter's own (at least {PYTHON_OWN})", flush=True)
    assert all(PYTHON in c for c in chains), f"{name}: a stack without Python"
    assert different >= PYTHON_DIFFERENT, f"{name}: {different} different stacks"
    assert own >= PYTHON_OWN, f"{name}: {own} stacks with frames of the interpreter"


def difference(chain, ours):
    """Where a chain parts from the one most like it."""
    def same_end(other):
        n = 0
        while n < min(len(chain), len(other)) and chain[-1 - n] == other[-1 - n]:
            n += 1
        return n
    best = max(ours, key=same_end)
    n = same_end(best)
    return (f"   gdb: {show(chain[:len(chain) - n])}\n   seep: {show(best[:len(best) - n])}\n"
            f"   then {n} frames are the same")


def show(chain):
    return " ".join(f"{os.path.basename(m)}+{int(o):#x}" for m, o in chain)


def examine(name, pid, loop=None):
    report = trace(pid)
    share_whole(name, report)
    if not shutil.which("gdb"):
        raise seep.Skip("gdb is not installed")
    seep.check_no_breakpoints(pid)
    chains = gdb_chains(pid, PYTHON_ENOUGH if loop else ENOUGH)
    compare(name, report, chains, loop)


def test_python():
    need("/usr/bin/python3.11")
    with started(["/usr/bin/python3.11", "-I", "-c", PYTHON_LOAD]) as python:
        examine("python3.11", python.pid, EvalLoop("/usr/bin/python3.11"))


def test_redis():
    need("redis-server", "redis-benchmark")
    port = seep.free_port()
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        with started(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "",
                      "--dir", folder, "--maxmemory", "101mb", "--maxmemory-policy",
                      "allkeys-random"]) as redis:
            seep.wait_until(lambda: is_listening(port), "redis-server listens")
            with contextlib.ExitStack() as loads:
                # Each for itself: what happens is the same at any time.
                for command in REDIS_LOADS:
                    loads.enter_context(started(
                        ["redis-benchmark", "-p", str(port), "-q", "-l", "-n", "5003", "-c", "3",
                         "-r", "10007", "-d", "211", *command]))
                examine("redis-server", redis.pid)


def test_nginx():
    if not LONG:
        raise seep.Skip("needs STACKS_LONG=1")
    need("nginx", "wrk")
    port = seep.free_port()
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        os.chmod(folder, 0o755)
        with open(os.path.join(folder, "index.html"), "w", encoding="ascii") as f:
            f.write("seep" * 1009)
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"""daemon off; master_process off; pid {folder}/pid; error_log {folder}/error;
events {{ }}
http {{
  access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
  fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  gzip on; gzip_min_length 1; gzip_types *;
  server {{ listen 127.0.0.1:{port}; root {folder};
    location /again/ {{ proxy_pass http://127.0.0.1:{port}/; }} }}
}}
""")
        with started(["nginx", "-c", path, "-p", folder, "-e", f"{folder}/error"]) as nginx:
            seep.wait_until(lambda: is_listening(port), "nginx listens")
            url = f"http://127.0.0.1:{port}/again/index.html"
            with started(["wrk", "-t", "1", "-c", "7", "-d", "600", "-H", "Connection: close",
                          "-H", "Accept-Encoding: gzip", url]):
                examine("nginx", nginx.pid)


def postgres_folder():
    base = "/usr/lib/postgresql"
    versions = sorted(os.listdir(base)) if os.path.isdir(base) else []
    if not versions:
        raise seep.Skip("postgresql is not installed")
    return os.path.join(base, versions[-1], "bin")


def as_postgres(*command):
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]


def backend_of(postmaster, clients):
    """A server process that works for a client, when all clients are there."""
    found = []
    for pid in seep.children_of(postmaster):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as f:
            if b"127.0.0.1(" in f.read():
                found.append(pid)
    return found[0] if len(found) == clients else None


def test_postgres():
    if not LONG:
        raise seep.Skip("needs STACKS_LONG=1")
    binaries = postgres_folder()
    need("pgbench", "setpriv")
    user = pwd.getpwnam("postgres")
    port = seep.free_port()
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        os.chown(folder, user.pw_uid, user.pw_gid)
        data = os.path.join(folder, "data")
        subprocess.run(as_postgres(f"{binaries}/initdb", "-D", data, "-A", "trust", "-N"),
                       check=True, capture_output=True, cwd=folder)
        with started(as_postgres(f"{binaries}/postgres", "-D", data, "-p", str(port), "-k", folder,
                                 "-c", "listen_addresses=127.0.0.1", "-c", "jit=off"),
                     cwd=folder) as postgres:
            client = ["pgbench", "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
            seep.wait_until(lambda: subprocess.run(
                ["psql", *client[1:], "-c", "select 1"], capture_output=True,
                check=False).returncode == 0, "postgres answers")
            subprocess.run([*client, "-i", "-q", "-s", "2", "postgres"], check=True,
                           capture_output=True)
            script = os.path.join(folder, "load.sql")
            with open(script, "w", encoding="ascii") as f:
                f.write(POSTGRES_LOAD)
            with started([*client, "-n", "-c", "2", "-T", "600", "-f", script, "-b", "tpcb-like",
                          "postgres"]):
                pid = seep.wait_until(lambda: backend_of(postgres.pid, 2), "clients are served")
                examine("postgres", pid)


# Sorts, hashes and regular expressions: memory contexts come and go.
POSTGRES_LOAD = """\\set n random(1, 997)
select bid, count(*), max(abalance) from pgbench_accounts where aid % 13 = :n % 13
  group by bid order by 2 desc limit 7;
with recursive t(k) as (select 1 union all select k + 1 from t where k < :n)
  select string_agg(k::text, ',' order by k desc), regexp_replace(repeat('ab', :n), 'a+', 'x', 'g')
  from t;
select a.aid, b.aid from pgbench_accounts a join pgbench_accounts b on a.aid = b.bid + :n
  order by b.abalance, a.aid limit 11;
create temporary table kept as select aid, abalance from pgbench_accounts where aid < :n;
drop table kept;
"""


if __name__ == "__main__":
    seep.main(globals())
