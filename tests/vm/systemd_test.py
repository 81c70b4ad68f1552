#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The package and its units, on a Debian whose first process is systemd. The tests build on one another: they
install it, use it, upgrade it and remove it, in this order."""

import contextlib
import glob
import http.client
import json
import os
import random
import signal
import stat
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))

import seep  # noqa: E402

UNIT = "seepd.service"
SOCKET = "/run/seep/seep.sock"
STATE = "/var/lib/seep"
DROP_INS = f"/etc/systemd/system/{UNIT}.d"
OPENED = "3bd5c2d27ad54c96aee3911fedd03199"
# Nothing here is fast: the machine is emulated.
SLOW = 180.0
CAPABILITIES = {2: "dac_read_search", 5: "kill", 6: "setgid", 7: "setuid", 19: "sys_ptrace",
                21: "sys_admin", 38: "perfmon", 39: "bpf", 40: "checkpoint_restore"}
ALWAYS = {"dac_read_search", "sys_ptrace", "perfmon", "bpf", "checkpoint_restore"}


def run(*command, check=True, **options):
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False,
                            timeout=300, stdin=subprocess.DEVNULL, **options)
    if check and result.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit status {result.returncode}\n"
                             f"{result.stdout[-2000:]}{result.stderr[-2000:]}")
    return result


def systemctl(*arguments, check=True):
    return run("systemctl", *arguments, check=check).stdout.strip()


def show(what, unit=UNIT):
    return systemctl("show", "--value", "-p", what, unit)


def journal(*arguments):
    """Entries, as fields."""
    run("journalctl", "--sync", check=False)
    lines = run("journalctl", "-q", "--no-pager", "-o", "json", "--output-fields=MESSAGE,_PID,_UID,"
                "MESSAGE_ID,OBJECT_SYSTEMD_UNIT,OBJECT_PID,PRIORITY,SEEP_LEAK_ID", *arguments,
                check=False).stdout.splitlines()
    return [json.loads(line) for line in lines]


def main_pid():
    return int(show("MainPID"))


def ask(*arguments, **options):
    result = seep.seepctl(*arguments, **options)
    seep.equal(result.status, 0, f"seepctl {' '.join(map(str, arguments))}: {result}")
    return result


def info():
    connection = seep.Connection(SOCKET, timeout=60)
    try:
        connection.request("GET", "/v1/info")
        return seep.Response(connection.getresponse()).json
    finally:
        connection.close()


def ask_json(*arguments):
    return ask(*arguments, "-j").json


def wait(condition, what, deadline=SLOW):
    return seep.wait_until(condition, what, deadline=deadline)


def is_answering():
    return seep.seepctl("status").status == 0


def targets():
    return ask_json("targets")["targets"]


def target_of(pid):
    found = [t for t in targets() if t["pid"] == pid]
    return found[-1] if found else None


def track(pid, *options):
    ask("track", *options, pid)
    return wait(lambda: (target_of(pid) or {}).get("state") == "traced" and target_of(pid),
                f"{pid} is traced")


def figures(target, function):
    sites = ask_json("sites", target["id"], "--by", "function", "--limit", 1000)["sites"]
    return seep.by_function(sites).get(function)


def capabilities(pid, kind="CapEff"):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
        bits = next(int(line.split()[1], 16) for line in f if line.startswith(kind + ":"))
    return {CAPABILITIES.get(c, str(c)) for c in range(64) if bits >> c & 1}


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


@contextlib.contextmanager
def drop_in(name, text=None):
    """Of /usr/lib/seep, or with a text of its own; the daemon runs with it."""
    path = os.path.join(DROP_INS, f"50-{name}")
    os.makedirs(DROP_INS, exist_ok=True)
    if text is None:
        os.symlink(os.path.join("/usr/lib/seep", name), path)
    else:
        write(path, text)
    try:
        systemctl("daemon-reload")
        systemctl("restart", UNIT)
        yield
    finally:
        os.unlink(path)
        systemctl("daemon-reload")
        systemctl("restart", UNIT)


def package(newest=False):
    """'seep_1.deb' is older than 'seep_1+later.deb', whatever the order of their characters."""
    return sorted(glob.glob("/seep/seep_*.deb"), key=len)[-1 if newest else 0]


def version():
    return run("dpkg-query", "-W", "-f=${Version}", "seep").stdout


# --- installation --------------------------------------------------------------------------------


def test_install():
    run("dpkg", "-i", package())
    seep.equal(show("ActiveState"), "active", "the service, at once")
    seep.equal(systemctl("is-enabled", UNIT), "enabled", "the service, at the next boot")
    seep.equal(systemctl("is-enabled", "seepd.socket"), "enabled", "the socket")
    seep.equal(systemctl("is-enabled", "seepd-http.socket", check=False), "disabled",
               "the loopback listener")
    seep.equal(show("NRestarts"), "0", "restarts")
    run("getent", "group", "seep")


def test_readiness():
    """Active means that clients are answered; and a status line tells more than that."""
    systemctl("restart", UNIT)
    assert is_answering(), "it answers as soon as the start is over"
    wait(lambda: show("StatusText").startswith("Targets: 0,"), "a status after the first tick")
    seep.equal(show("Type"), "notify", "kind of service")
    st = os.stat(SOCKET)
    seep.equal(stat.S_IMODE(st.st_mode), 0o666, "mode of the socket")
    seep.equal(run("stat", "-c", "%U:%G", SOCKET).stdout.strip(), "root:seep", "owner of it")


def test_what_it_may_do():
    pid = main_pid()
    seep.equal(capabilities(pid, "CapBnd"), ALWAYS | {"sys_admin"}, "what the unit allows")
    links = info()["links"]
    print(f"# links: {links}")
    seep.equal(capabilities(pid), ALWAYS | ({"sys_admin"} if links == "perf" else set()),
               "what is left after the self-test")
    result = run("systemd-analyze", "security", "--no-pager", UNIT)
    print(f"# {result.stdout.strip().splitlines()[-1]}")


# --- its whole job inside of the sandbox ---------------------------------------------------------

APP = "theirapp.service"
# Hours of a service within seconds.
FAST = ("[Service]\nExecStart=\nExecStart=/usr/sbin/seepd --tick 1s --detector-tick 50ms "
        "--budget 100% --total-budget 100%\n")


@contextlib.contextmanager
def theirs():
    """A service of somebody, with a program that only its owner can reach; its pid."""
    if not os.path.exists("/opt/theirapp"):
        run("useradd", "--system", "theirapp")
        os.makedirs("/opt/theirapp")
        run("cp", seep.workload_path("service"), "/opt/theirapp/service")
        run("chown", "-R", "theirapp:", "/opt/theirapp")
        os.chmod("/opt/theirapp", 0o700)
    write("/run/systemd/system/theirapp.socket", "[Socket]\nListenFIFO=/run/theirapp.fifo\n")
    write(f"/run/systemd/system/{APP}",
          "[Service]\nUser=theirapp\nExecStart=/opt/theirapp/service\nStandardInput=socket\n"
          "StandardOutput=null\nPrivateTmp=yes\nProtectHome=yes\n")
    systemctl("daemon-reload")
    systemctl("start", "theirapp.socket", APP)
    try:
        yield int(show("MainPID", APP))
    finally:
        for line in seep.seepctl("leaks", "--all").out.splitlines():
            print(f"# {line}")
        systemctl("stop", "theirapp.socket", APP)


def told(pid):
    return [l for l in ask_json("leaks", "--all")["leaks"] if l["told"] and l["pid"] == pid]


def test_leak_of_a_service():
    """Tracked by its unit: stacks, names, the alert, the journal, the history."""
    with drop_in("fast.conf", FAST), theirs() as pid:
        ask("track", "--exact", "--limit", "48M", f"unit={APP}")
        wait(lambda: (target_of(pid) or {}).get("state") == "traced", "it is traced")
        leak = wait(lambda: told(pid), "an alert", deadline=240.0)[0]
        seep.equal(leak["unit"], APP, "unit of the leak")
        names = [f["function"] for f in leak["frames"]]
        assert "make_record" in names, f"the function that leaks: {names}"
        assert any(f["file"] and f["file"].endswith("service.c") for f in leak["frames"]), \
            f"a source file: {leak['frames']}"
        entries = wait(lambda: journal("-u", APP, f"MESSAGE_ID={OPENED}"),
                       "the leak in the log of the service itself")
        seep.equal(entries[0]["OBJECT_SYSTEMD_UNIT"], APP, "whose log")
        seep.equal(entries[0]["OBJECT_PID"], str(pid), "whose process")
        seep.equal(entries[0]["SEEP_LEAK_ID"], leak["id"], "which leak")
        text = run("journalctl", "-q", "--no-pager", "-x", "-u", APP, f"MESSAGE_ID={OPENED}").stdout
        for line in text.splitlines():
            print(f"# {line}")
        assert f"seepctl show {leak['id']}" in text, f"what to do next: {text}"
        seep.equal([e["MESSAGE"] for e in journal("-u", APP, "-p", "0..3", "_UID=0",
                                                  f"MESSAGE_ID={OPENED}")][1:], [], "told once")
        ask("history", APP)
    files = sorted(os.listdir(STATE))
    assert "history.db" in files, f"the history: {files}"
    seep.equal(stat.S_IMODE(os.stat(STATE).st_mode), 0o700, "mode of its folder")
    seep.equal(stat.S_IMODE(os.stat(f"{STATE}/history.db").st_mode), 0o600, "mode of the history")
    assert [l for l in ask_json("leaks", "--all")["leaks"] if l["id"] == leak["id"]], \
        "the leak is known after a restart"


def test_deleted_program():
    """Its names come from the file that it runs, though nothing leads to it any more."""
    path = "/opt/gone"
    run("cp", seep.workload_path("twins"), path)
    with seep.Workload("twins", 7, 3, path=path) as workload:
        os.unlink(path)
        target = track(workload.pid, "--exact")
        truth = workload.go()["functions"]
        for function, expected in truth.items():
            seep.wait_equal(lambda: figures(target, function), expected, function, deadline=SLOW)
        ask("untrack", workload.pid)


PYTHON = """
class Order:
    pass
kept, raw = [], []
def keep():
    kept.append(Order())
    raw.append(bytes(4001))
for _ in range(1009):
    keep()
input()
for _ in range(307):
    keep()
print("done", flush=True)
input()
"""


def test_python():
    """Types of a process's objects, and the Python lines in its stacks."""
    with subprocess.Popen(["python3", "-c", PYTHON], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as process:
        def count():
            return {t["type"]: t["count"] for t in
                    ask_json("census", process.pid, "--limit", 1000)["types"]}.get("__main__.Order")
        seep.wait_equal(count, 1009, "objects of a class", deadline=SLOW)
        target = track(process.pid, "--exact")
        process.stdin.write(b"\n")
        process.stdin.flush()
        seep.equal(process.stdout.readline(), b"done\n", "the program")

        def blocks():
            """Of the line the largest: the list grows there, too."""
            sites = ask_json("sites", target["id"], "--by", "stack", "--limit", 1000)["sites"]
            return max((s["live_count"] for s in sites for f in s["frames"] if
                        (f["kind"], f["function"], f["line"]) == ("python", "keep", 7)), default=0)
        seep.wait_equal(blocks, 307, "blocks of the line", deadline=SLOW)
        ask("untrack", process.pid)
        process.stdin.close()
        process.wait(60)


def test_command_for_alerts():
    """With the drop-in it runs as nobody, with less it says what is missing."""
    command = FAST.replace("--tick", "--on-alert '/usr/bin/logger -t seep-told' --tick")
    with drop_in("fast.conf", command):
        wait(lambda: [e for e in journal("-u", UNIT) if "command.conf" in e["MESSAGE"]],
             "a warning that names the drop-in")
    with drop_in("command.conf"), drop_in("fast.conf", command), theirs() as pid:
        ask("track", "--exact", "--limit", "48M", pid)
        wait(lambda: told(pid), "an alert", deadline=240.0)
        # The leak is known by now: it has resumed.
        wait(lambda: any("\"leak\"" in e["MESSAGE"] for e in journal("-t", "seep-told")),
             "the event, of which logger makes several entries")
        seep.equal({e["_UID"] for e in journal("-t", "seep-told")}, {"65534"}, "whom it runs as")


def test_strict():
    """Without CAP_SYS_ADMIN and perf uprobes, where the kernel allows."""
    if info()["links"] == "perf":
        raise seep.Skip("this kernel has no uprobe_multi links that work")
    with drop_in("strict.conf"), seep.Workload("twins", 7, 3) as workload:
        seep.equal(capabilities(main_pid(), "CapBnd"), ALWAYS, "what the unit allows")
        target = track(workload.pid, "--exact")
        truth = workload.go()["functions"]
        for function, expected in truth.items():
            seep.wait_equal(lambda: figures(target, function), expected, function, deadline=SLOW)
        ask("untrack", workload.pid)


# --- who may what --------------------------------------------------------------------------------


def as_user(name, *arguments):
    result = run("setpriv", "--reuid", name, "--regid", name, "--init-groups", "seepctl",
                 *arguments, check=False)
    return seep.Result(result.returncode, result.stdout, result.stderr)


def test_other_users():
    """They see their own processes; members of the group see all, and may act."""
    run("useradd", "alice")
    run("useradd", "--groups", "seep", "oscar")
    alice = run("id", "-u", "alice").stdout.strip()
    with seep.Workload("churn", 1, wait=False) as ours, \
            subprocess.Popen(["setpriv", f"--reuid={alice}", "--clear-groups",
                              seep.workload_path("churn"), "1"], stdin=subprocess.PIPE) as hers:
        track(ours.pid)
        track(hers.pid)
        seen = as_user("alice", "targets", "-j")
        seep.equal([t["pid"] for t in seen.json["targets"]], [hers.pid], "what alice sees")
        seep.equal(as_user("alice", "track", str(ours.pid)).status, 4, "alice tracks a process")
        seep.equal(as_user("alice", "untrack", str(ours.pid)).status != 0, True,
                   "alice does not untrack one of others")
        seen = as_user("oscar", "targets", "-j")
        seep.equal(sorted(t["pid"] for t in seen.json["targets"]), sorted([ours.pid, hers.pid]),
                   "what oscar sees")
        for pid in (ours.pid, hers.pid):
            seep.equal(as_user("oscar", "untrack", str(pid)).status, 0, "oscar untracks it")
        hers.stdin.close()
        hers.wait(30)


# --- restarts ------------------------------------------------------------------------------------


def restarts():
    return int(show("NRestarts"))


def check_unprobed(pid):
    seep.wait_equal(lambda: seep.changed_bytes(pid), [], f"code of {pid} is as in its files",
                    deadline=SLOW)


def leaks_across(how):
    """A process leaks while the daemon ends and comes back by how(): what it then knows of it."""
    with seep.Workload("leak_steady", 101, 1009) as workload:
        target = track(workload.pid, "--exact")
        workload.poke()
        wait(lambda: (figures(target, "leak_one") or {}).get("allocated_count", 0) > 100,
             "blocks are seen")
        how()
        wait(is_answering, "it answers again")
        truth = workload.go()["functions"]["leak_one"]
        found = target_of(workload.pid)
        assert found, "the process is a target still"
        seep.wait_equal(lambda: figures(found, "leak_one"), truth, "every block", deadline=SLOW)
        seep.equal(seep.losses(target_of(workload.pid)), {}, "losses")
        ask("untrack", workload.pid)
        check_unprobed(workload.pid)


def kill_daemon():
    before, pid = restarts(), main_pid()
    os.kill(pid, signal.SIGKILL)
    wait(lambda: restarts() == before + 1 and main_pid() not in (0, pid) and
         show("ActiveState") == "active", "it is started again")


def test_restart_keeps_every_block():
    leaks_across(lambda: systemctl("restart", UNIT))


def test_kill_keeps_every_block():
    leaks_across(kill_daemon)


def kills():
    with open("/proc/cmdline", encoding="ascii") as f:
        return next((int(w.split("=")[1]) for w in f.read().split() if w.startswith("seep.kills=")),
                    11)


def test_killed_at_any_moment():
    """Also while it starts and takes over: no block is lost, and none is counted twice."""
    seed, n = random.randrange(1 << 32), kills()
    chance = random.Random(seed)
    print(f"# seed {seed}, {n} kills")
    with drop_in("often.conf", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nRestartSec=100ms\n"), \
            seep.Workload("leak_steady", 101, 1009) as workload:
        target = track(workload.pid, "--exact")
        workload.poke()
        for _ in range(n):
            time.sleep(chance.choice((0.1, 1.0, 10.0)) * chance.random())
            os.kill(wait(main_pid, "it runs"), signal.SIGKILL)
        wait(is_answering, "it answers again")
        assert restarts() >= n // 2, f"{restarts()} restarts"
        print(f"# {restarts()} restarts")
        truth = workload.go()["functions"]["leak_one"]
        seep.wait_equal(lambda: figures(target, "leak_one"), truth, "every block", deadline=SLOW)
        seep.equal(seep.losses(target_of(workload.pid)), {}, "losses")
        ask("untrack", workload.pid)
        check_unprobed(workload.pid)


def pairs_so_far(pace):
    pace.process.stdin.write(b"max\n")
    return json.loads(pace.read_line())


def pairs_per_second(pace):
    """How many it makes in a second of a processor, at this moment."""
    before = pairs_so_far(pace)
    time.sleep(1)
    after = pairs_so_far(pace)
    return (after["pairs"] - before["pairs"]) / max(after["seconds"] - before["seconds"], 1e-6)


def test_hung_daemon():
    """The watchdog ends it; its targets run on, and are as fast as before."""
    with seep.Workload("pace", wait=False) as workload:
        free = pairs_per_second(workload)
        track(workload.pid)
        before, pid = restarts(), main_pid()
        os.kill(pid, signal.SIGSTOP)
        hung = pairs_per_second(workload)
        wait(lambda: restarts() == before + 1 and main_pid() not in (0, pid) and
             show("ActiveState") == "active", "the watchdog has started it again")
        wait(is_answering, "it answers again")
        back = wait(lambda: pairs_per_second(workload) / free >= 0.5 and pairs_per_second(workload),
                    f"at least half of the {free:.0f} pairs per second that it made untraced")
        print(f"# of its speed without probes it had {hung / free:.2f} when seepd hung, {back / free:.2f} "
              "when traced again")
        assert [e for e in journal("-u", UNIT) if "atchdog timeout" in e["MESSAGE"]], \
            "the journal says that it was the watchdog"
        ask("untrack", workload.pid)
        check_unprobed(workload.pid)
        wait(lambda: pairs_per_second(workload) / free >= 0.7, "it is as fast as before it was traced")


def told_count():
    return len([l for l in ask_json("leaks", "--all")["leaks"] if l["told"]])


def test_clock_jumps():
    """A day ahead, two back: what is measured goes on, nothing is told, history can be read."""
    with drop_in("fast.conf", FAST), seep.Workload("twins", 7, 3) as workload:
        target, before, told_before = track(workload.pid, "--exact"), restarts(), told_count()
        truth = workload.go()["functions"]
        for days in (1, -2, 1):
            run("date", "-s", f"@{int(time.time()) + days * 86400}")
            seen = info()["ticks"]
            wait(lambda: info()["ticks"] > seen + 3, f"ticks go on, {days} days later")
            for function, expected in truth.items():
                seep.wait_equal(lambda: figures(target, function), expected, function,
                                deadline=SLOW)
            ask("history", target["id"])
        seep.equal((restarts(), told_count()), (before, told_before), "restarts and alerts")
        ask("untrack", workload.pid)


def test_reload():
    """What has a mistake changes nothing, and is told."""
    path, pid = "/etc/seep/seep.conf.d/50-test.conf", main_pid()
    for text, state in (("[Daemon]\nLogLevel=debug\n", "loaded"), ("[Budget]\nTarget=much\n", "kept"),
                        ("", "loaded")):
        write(path, text)
        systemctl("reload", UNIT)
        wait(lambda: info()["config"]["state"] == state, f"the configuration is {state}")
        seep.equal((main_pid(), show("ActiveState")), (pid, "active"), "process and state")
        assert is_answering(), "it answers"
    os.unlink(path)


def test_upgrade():
    """Another version takes over."""
    def upgrade():
        run("dpkg", "-i", package(newest=True))
    assert package() != package(newest=True), "there are two packages"
    before = version()
    leaks_across(upgrade)
    seep.equal(run("dpkg", "--compare-versions", version(), "gt", before).returncode, 0, "versions")
    seep.equal((show("ActiveState"), systemctl("is-enabled", UNIT)), ("active", "enabled"),
               "the service")


def test_stop_removes_probes():
    with seep.Workload("churn", 1, wait=False) as workload:
        check_unprobed(workload.pid)
        track(workload.pid, "--exact")
        assert seep.probes_on_libc(workload.pid), "there are probes"
        systemctl("stop", "seepd.socket")
        seep.equal(show("ActiveState"), "inactive", "the service stops with its socket")
        check_unprobed(workload.pid)
        workload.poke()
        seep.equal(workload.read_line(), "alive", "the target runs on")
    seep.wait_equal(lambda: run("pgrep", "seep", check=False).stdout, "", "processes that are left",
                    deadline=SLOW)


def test_socket_activation():
    """The socket alone is there after a stop; the first client starts the service, and is answered."""
    systemctl("start", "seepd.socket")
    seep.equal(show("ActiveState"), "inactive", "the service")
    assert is_answering(), "the first client is answered"
    seep.equal(show("ActiveState"), "active", "the service")


def test_loopback_listener():
    systemctl("enable", "seepd-http.socket")
    systemctl("restart", UNIT)
    connection = http.client.HTTPConnection("127.0.0.1", 9837, timeout=60)
    connection.request("GET", "/healthz")
    seep.equal(connection.getresponse().status, 200, "/healthz")
    connection.close()
    systemctl("disable", "--now", "seepd-http.socket")
    seep.equal(show("ActiveState"), "active", "the service without it")


def test_remove_and_purge():
    run("dpkg", "-r", "seep")
    seep.wait_equal(lambda: run("pgrep", "seep", check=False).stdout, "", "processes that are left",
                    deadline=SLOW)
    assert not os.path.exists(SOCKET), "the socket is gone"
    assert os.path.exists(STATE), "the history is kept"
    run("dpkg", "-P", "seep")
    assert not os.path.exists(STATE), "the history is gone"
    left = run("sh", "-c", "find /etc /usr /var/lib -name '*seep*' ! -path '*/dpkg/*' "
               "! -name seep-test.service ! -name seep-base").stdout
    seep.equal(left, "", "files that are left")


def test_nothing_failed():
    failed = systemctl("list-units", "--failed", "--no-legend", "--plain")
    seep.equal(failed, "", "units that failed")


def tell_log(lines):
    for entry in journal("-u", UNIT, "-n", str(lines)):
        print(f"# seepd says: {entry['MESSAGE']}")


def main():
    print(f"# kernel {os.uname().release}")
    print("# file systemd_test.py", flush=True)
    status = 0
    try:
        seep.main(globals())
    except SystemExit as end:
        status = end.code
    if status:
        tell_log(60)
    print(f"# exit {status}")
    with open("/proc/uptime", encoding="ascii") as f:
        print(f"# end {f.read().split()[0]}", flush=True)


if __name__ == "__main__":
    main()
