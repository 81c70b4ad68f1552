# SPDX-License-Identifier: GPL-2.0-or-later
"""ld-unfree.so drops the frees that it says, and no other; a server goes on under it."""

import contextlib
import json
import math
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import seep  # noqa: E402 pylint: disable=wrong-import-position

UNFREE = os.path.abspath(os.path.join(seep.BUILD, "eval", "ld-unfree.so"))
BALANCED = os.path.join(seep.BUILD, "workloads", "balanced")

# Of glibc: what a block takes beside what can be used, and what a thread leaves.
HEAD_BYTES = 8
THREADS_LEAVE = 16 << 10


@contextlib.contextmanager
def planted(function, share, **more):
    """The environment for a program; and a function that tells what was dropped, by process."""
    with tempfile.TemporaryDirectory(prefix="seep-unfree-") as folder:
        path = os.path.join(folder, "dropped")
        # Without caches of free blocks, which malloc counts as in use.
        env = seep.environment(LD_PRELOAD=UNFREE, UNFREE_FUNCTION=function,
                               UNFREE_SHARE=str(share), UNFREE_REPORT=path,
                               GLIBC_TUNABLES="glibc.malloc.tcache_count=0",
                               **{f"UNFREE_{k.upper()}": str(v) for k, v in more.items()})

        def reports():
            found = []
            for name in sorted(os.listdir(folder)):
                with open(os.path.join(folder, name), encoding="ascii") as f:
                    found.append(json.load(f))
            return found
        yield env, reports


def balanced(env, rounds=10007, threads=1):
    done = subprocess.run([BALANCED, str(rounds), str(threads)], env=env, capture_output=True,
                          timeout=120, check=False)
    seep.equal(done.returncode, 0, f"exit status of balanced: {done.stderr}")
    return json.loads(done.stdout)


def check_dropped(function, expected, moved=0):
    """All of a function's blocks, and the allocator says the same."""
    with planted(function, 1) as (env, reports):
        told = balanced(env)
        report = reports()[0]
        seep.equal((report["marked"], report["dropped_count"], report["moved_by_realloc"],
                    report["table_full"]), (expected, expected, moved, 0), f"figures: {report}")
        off = told["still_bytes"] - report["dropped_bytes"] - HEAD_BYTES * expected
        assert 0 <= off < THREADS_LEAVE, f"{off} bytes are in use that it does not tell of"


def test_all_blocks_of_a_function():
    check_dropped("other_new", 10007)


def test_the_mark_moves_with_realloc():
    """Allocated under the function, moved elsewhere, freed in vain."""
    check_dropped("planted_new", 10007, moved=1001)


def test_a_realloc_is_an_allocation():
    check_dropped("other_resize", 1001)


def test_nothing_without_the_function():
    with planted("no_such_function", 1) as (env, reports):
        told = balanced(env)
        assert told["still_bytes"] < THREADS_LEAVE, told
        seep.equal(reports(), [], "reports")


def test_a_share_of_many_threads():
    share, n = 0.03, 4 * 50021
    with planted("planted_new", share) as (env, reports):
        told = balanced(env, 50021, 4)
        seep.equal(told["planted"], n, "blocks")
        report = reports()[0]
    count = report["dropped_count"]
    assert abs(count - share * n) < 5 * math.sqrt(n * share), f"{count} of {n}"
    seep.equal(report["marked"], count, "all that were chosen were freed in vain")
    off = told["still_bytes"] - report["dropped_bytes"] - HEAD_BYTES * count
    assert 0 <= off < 4 * THREADS_LEAVE, f"{off} bytes are in use that it does not tell of"


def test_the_same_seed_drops_the_same():
    found = []
    for seed in (7, 7, 8):
        with planted("planted_new", 0.1, seed=seed) as (env, reports):
            balanced(env)
            found.append(reports()[0]["dropped_bytes"])
    seep.equal(found[0], found[1], "bytes with one seed")
    assert found[0] != found[2], found


def test_not_before_its_time():
    with planted("planted_new", 1, after=1000) as (env, reports):
        assert balanced(env)["still_bytes"] < THREADS_LEAVE
        seep.equal(reports()[0]["dropped_count"], 0, "dropped")


def test_a_function_by_its_place():
    out = subprocess.run(["nm", "-S", BALANCED], capture_output=True, check=True).stdout.decode()
    begin, size = re.search(r"^(\w+) (\w+) T other_new$", out, re.MULTILINE).groups()
    begin, size = int(begin, 16), int(size, 16)
    check_dropped(f"balanced+{begin:x}-{begin + size:x}", 10007)


def ask_redis(port, *words):
    """The answer to one command; a long one whole."""
    command = f"*{len(words)}\r\n" + "".join(f"${len(w)}\r\n{w}\r\n" for w in words)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(command.encode())
        answer = s.recv(65536)
        if answer.startswith(b"$"):
            head, _, rest = answer.partition(b"\r\n")
            while len(rest) < int(head[1:]) + 2:
                rest += s.recv(65536)
            answer = rest
    return answer.decode().strip()


def is_listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_redis_goes_on_and_grows():
    """allkeys-lru: old keys are evicted all the time; a share of their names and entries stays."""
    for program in ("redis-server", "redis-benchmark"):
        if not shutil.which(program):
            raise seep.Skip(f"{program} is not installed")
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with planted("dbAdd", 0.05) as (env, reports), \
            tempfile.TemporaryDirectory(prefix="seep-unfree-") as folder:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir",
             folder, "--maxmemory", "24mb", "--maxmemory-policy", "allkeys-lru"], env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=seep.die_with_parent)
        try:
            seep.wait_until(lambda: is_listening(port), "redis listens")
            for _ in range(2):
                subprocess.run(["redis-benchmark", "-p", str(port), "-t", "set", "-d", "512", "-r",
                                "1000000", "-n", "60000", "-q", "-P", "16"], check=True,
                               stdout=subprocess.DEVNULL, timeout=60)
            evicted = int(re.search(r"evicted_keys:(\d+)", ask_redis(port, "INFO", "stats"))[1])
            seep.equal(ask_redis(port, "SET", "key", "value"), "+OK", "an answer")
            seep.equal(ask_redis(port, "GET", "key"), "value", "another")
        finally:
            server.terminate()
            status = server.wait(30)
        seep.equal(status, 0, "exit status of redis")
        report = next(r for r in reports() if r["pid"] == server.pid)
    assert evicted > 50000, f"{evicted} keys were evicted"
    # A name and an entry for each key; keys that were evicted before the answer may be more.
    expected = 2 * 0.05 * evicted
    assert 0.8 * expected < report["dropped_count"] < 1.2 * expected, f"{report}, {evicted} keys"


seep.main(globals(), requires=(UNFREE, BALANCED))
