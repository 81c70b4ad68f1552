#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What seepd does when it gets no memory, no descriptors, or no BPF: it says so, goes on, and loses
nothing that it had.

Full maps: test_losses.py. Disks and databases: test_leak_faults.py. Children that are killed:
test_kill.py. Hundreds of targets: test_scale.py.
"""

import contextlib
import json
import os
import resource
import subprocess
import time

import seep

SITES = 1009
CHILDREN = 2003
STARTING_SECONDS = 6  # for so long a process is looked at again if it maps no allocator


@contextlib.contextmanager
def limited(pid, what, most):
    """A soft limit of another process, for a while."""
    before = resource.prlimit(pid, what)
    resource.prlimit(pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, what, before)


def data_bytes(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        return next(int(line.split()[1]) * 1024 for line in f if line.startswith("VmData:"))


def check_alive(daemon):
    assert daemon.process.poll() is None, f"seepd ended: {daemon.log()}"


def ask_anyhow(daemon, path):
    """An answer, a refusal, or a connection that ends; never a daemon that does."""
    try:
        status = daemon.request("GET", path).status
    except (OSError, seep.http.client.HTTPException):
        status = None
    check_alive(daemon)
    return status


def check_figures(daemon, key, truth):
    """They are the truth, to the block, and nothing is counted as lost."""
    functions = truth["functions"]
    seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), functions), functions,
                    "figures")
    seep.check_nothing_lost(daemon.target(key))


def test_no_memory():
    """New sites and large answers while malloc() fails; with memory again the figures are exact."""
    with seep.Daemon(check=False) as daemon, seep.Workload("many_sites", SITES) as workload:
        key = daemon.track(workload.pid)
        with limited(daemon.pid, resource.RLIMIT_DATA, data_bytes(daemon.pid) + 65536):
            truth = workload.go()
            answers = [ask_anyhow(daemon, f"/v1/sites?target={key}&by={by}&limit=1000")
                       for by in ("stack", "line", "function", "module") for _ in range(5)]
            answers += [ask_anyhow(daemon, "/v1/info") for _ in range(5)]
            end = time.monotonic() + 3
            while time.monotonic() < end:
                ask_anyhow(daemon, "/v1/targets")
        print(f"# answers without memory: {answers}")
        check_figures(daemon, key, truth)
        seep.equal(daemon.stop(), 0, "exit status")


def test_no_descriptors():
    """Clients wait or are refused, a process whose files cannot be opened is said to be; later all is well."""
    with seep.Daemon(check=False) as daemon, \
         seep.Workload("many_sites", SITES) as workload, seep.Workload("twins", 7, 3) as other:
        key = daemon.track(workload.pid)
        used = max(int(n) for n in os.listdir(f"/proc/{daemon.pid}/fd"))
        with limited(daemon.pid, resource.RLIMIT_NOFILE, used + 1):
            for _ in range(100):
                ask_anyhow(daemon, "/v1/targets")
            with contextlib.suppress(OSError, seep.http.client.HTTPException):
                daemon.request("POST", "/v1/targets", {"selector": str(other.pid)})
            check_alive(daemon)
            truth = workload.go()
        check_figures(daemon, key, truth)
        daemon.request("DELETE", f"/v1/targets/{other.pid}")
        second = daemon.track(other.pid)
        check_figures(daemon, second, other.go())
        seep.equal(daemon.stop(), 0, "exit status")


def track_with(daemon, pid, room):
    """What is said of a process that is tracked with so many descriptors left, and no child yet that looks
    at files."""
    daemon.end_symbolizers()
    seep.wait_until(daemon.settled_descriptors, "only what stays is open")
    # What is open for a moment is not in all of these.
    used = set.intersection(*({int(n) for n in os.listdir(f"/proc/{daemon.pid}/fd")} for _ in range(7)))
    free = [n for n in range(len(used) + room) if n not in used]
    with limited(daemon.pid, resource.RLIMIT_NOFILE, free[room - 1] + 1):
        answer = daemon.request("POST", "/v1/targets", {"selector": str(pid)})
    if answer.status >= 400:
        return "refused", answer.json["detail"]
    target = answer.json["targets"][0]
    return target["state"], target.get("error")


def test_no_descriptors_for_files():
    """The reason is said as it is, not as something that the process lacks; then it is tried again."""
    with seep.Daemon(check=False) as daemon, seep.Workload("twins", 7, 3) as workload:
        seep.wait_until(lambda: seep.age_seconds(workload.pid) > STARTING_SECONDS, "it is no young process")
        said = []
        for room in range(1, 8):
            state, error = track_with(daemon, workload.pid, room)
            print(f"# {room} descriptors: {state}, {error}")
            said.append(error)
            if state == "refused":
                continue
            seep.wait_until(lambda: daemon.targets()[0]["state"] == "traced", "it is traced in the end")
            seep.equal(daemon.targets()[0].get("error"), None, "what is said of it then")
            daemon.request("DELETE", f"/v1/targets/{workload.pid}")
        assert any(said), "some were too few"
        for error in filter(None, said):
            assert "Too many open files" in error, error
        assert "maps no file" not in daemon.log_whole(), daemon.log()
        check_figures(daemon, daemon.track(workload.pid), workload.go())
        seep.equal(daemon.stop(), 0, "exit status")


def test_storm_of_forks():
    """Over a thousand children a second, each with blocks of its own, one process after the other."""
    with seep.Workload("spawn_storm", CHILDREN) as workload, seep.Daemon(check=False) as daemon:
        daemon.track(workload.pid, follow=True)
        start = time.monotonic()
        workload.poke()
        seep.equal(json.loads(workload.read_line())["children"], CHILDREN, "children that ended")
        print(f"# {CHILDREN / (time.monotonic() - start):.0f} children per second")
        check_alive(daemon)
        seep.wait_until(lambda: len(daemon.targets()) <= 1, "the children are forgotten")
        info = daemon.get("/v1/info")
        print(f"# seepd after it: {seep.rss_bytes(daemon.pid) / 2**20:.1f} MiB, {info['ticks']} ticks")
        seep.equal(workload.end(), 0, "exit status of the parent")
        seep.equal(daemon.stop(), 0, "exit status")


def test_load_refused():
    """Without the right to load BPF programs it does not start, and says what is missing."""
    result = subprocess.run(
        ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--clear-groups", "--reuid=65534",
         "--regid=65534", seep.SEEPD, "--socket", "/tmp/seep-never.sock", "--state-dir", "none"],
        capture_output=True, text=True, timeout=60, check=False)
    print(f"# {result.stderr.strip()}")
    seep.equal(result.returncode, 1, "exit status")
    assert "cannot start: " in result.stderr, result.stderr
    assert any(word in result.stderr for word in ("root", "CAP_BPF")), result.stderr
    assert not os.path.exists("/tmp/seep-never.sock"), "a socket is left"


if __name__ == "__main__":
    seep.main(globals())
