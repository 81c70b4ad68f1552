#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""seepctl run leaves the command's streams, signals and exit status alone."""

import contextlib
import hashlib
import json
import os
import signal
import stat
import subprocess
import tempfile

import seep


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as path:
        os.chmod(path, 0o755)
        yield path


def write(path, text, mode=0o755):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)
    return path


def run(*command, **options):
    """With the report out of the way."""
    return seep.seepctl("run", "-o", "/dev/null", "--", *command, **options)


def test_exit_status():
    with folder() as path:
        plain = write(os.path.join(path, "plain"), "no program\n", 0o644)
        for command, status in (
                (["true"], 0), (["sh", "-c", "exit 7"], 7), (["sh", "-c", "exit 255"], 255),
                (["sh", "-c", "kill -TERM $$"], 128 + 15), (["sh", "-c", "kill -KILL $$"], 128 + 9),
                (["seep-no-such-command"], 127), ([os.path.join(path, "nothing")], 127),
                ([plain], 126), ([path], 126)):
            result = run(*command)
            seep.equal(result.status, status, f"status of {command}: {result}")
            if status in (126, 127):
                assert command[0] in result.err, f"the message names the command: {result}"
                seep.equal(result.out, "", f"output of {command}")


def test_not_executed_leaves_nothing():
    """A command that cannot be started leaves no process behind."""
    before = seep.children_of(os.getpid())
    run("seep-no-such-command")
    seep.equal(seep.children_of(os.getpid()), before, "children")


def test_streams_are_untouched():
    """Binary data through the command, byte for byte, more than any pipe holds."""
    data = os.urandom(3 << 20)
    result = seep.seepctl("run", "-o", "/dev/null", "--", "cat", stdin=data, text=False)
    seep.equal(result.status, 0, f"cat: {result.err[-300:]}")
    seep.equal(hashlib.sha256(result.out).hexdigest(), hashlib.sha256(data).hexdigest(), "data")
    result = run("sh", "-c", "echo out; echo err >&2")
    seep.equal((result.out, result.err), ("out\n", "err\n"), "output and errors")


def test_descriptors_are_untouched():
    """The command has the descriptors that it would have without seep, and no others."""
    listing = ["python3", "-c", "import os; print(sorted(os.listdir('/proc/self/fd')))"]
    alone = subprocess.run(listing, stdin=subprocess.PIPE, capture_output=True, check=True)
    result = run(*listing)
    seep.equal(result.out, alone.stdout.decode(), "descriptors")


def test_signal_state_is_untouched():
    """Masks and ignored signals, as the command would have them without seep."""
    state = ["sh", "-c", "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status"]

    def prepare():
        seep.die_with_parent()
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR1})
    alone = subprocess.run(state, capture_output=True, check=True, preexec_fn=prepare)
    result = run(*state, preexec_fn=prepare)
    seep.equal(result.out, alone.stdout.decode(), "signal masks")


def test_environment_is_untouched():
    command = ["sh", "-c", "pwd; umask; id -u; env | sort | grep -v '^_='; ulimit -a"]
    alone = subprocess.run(command, capture_output=True, check=True, env=seep.environment(A="b c"))
    result = run(*command, env=seep.environment(A="b c"))
    seep.equal(result.out, alone.stdout.decode(), "folder, mask, user, environment and limits")


def test_report_comes_after_the_output():
    result = seep.seepctl("run", "--", "sh", "-c", "echo first; exit 3")
    seep.equal(result.status, 3, f"{result}")
    assert result.out.startswith("first\n"), f"the command's output comes first: {result}"
    assert "Coverage" in result.out, f"the report follows: {result}"
    result = seep.seepctl("run", "-j", "--", "sh", "-c", "echo first")
    lines = result.out.splitlines()
    seep.equal((lines[0], len(lines)), ("first", 2), "one line of output, one of JSON")
    seep.equal(set(json.loads(lines[1])) >= {"target", "sites", "children"}, True, "the report")


def test_report_to_a_file():
    with folder() as path:
        report = os.path.join(path, "report.json")
        write(report, "old", 0o640)
        result = seep.seepctl("run", "-j", "-o", report, "--", "echo", "out")
        seep.equal((result.status, result.out), (0, "out\n"), "status and output")
        with open(report, encoding="utf-8") as f:
            seep.equal(json.load(f)["target"]["comm"], "echo", "the report's target")
        seep.equal(os.listdir(path), ["report.json"], "no other file is left")
        text = os.path.join(path, "report.txt")
        seep.seepctl("run", "--output", text, "--", "echo", "out")
        with open(text, encoding="utf-8") as f:
            content = f.read()
        assert "Coverage" in content and "\033" not in content, f"text report: {content[:300]}"
        result = seep.seepctl("run", "-o", os.path.join(path, "no/such/folder"), "--", "true")
        seep.equal(result.status, 1, f"a report that cannot be written: {result}")
        assert "no/such/folder" in result.err, f"the message names the file: {result}"


def start(*command, options=("-o", "/dev/null")):
    return subprocess.Popen([seep.SEEPCTL, "run", *options, "--", *command], bufsize=0,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=seep.die_with_parent, env=seep.environment())


def test_signals_are_forwarded():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
                   signal.SIGQUIT):
        name = signal.Signals(number).name[3:]
        process = start("python3", "-c", f"""import signal, os
def got(number, frame):
    os.write(1, b"got {name}\\n")
    os._exit(9)
signal.signal(signal.SIG{name}, got)
os.write(1, b"ready\\n")
os.read(0, 1)
os._exit(8)
""")
        seep.equal(process.stdout.readline(), b"ready\n", "the command is ready")
        process.send_signal(number)
        # Its input stays open until then: the end of it would end the command, too.
        seep.equal(process.wait(seep.DEADLINE), 9, f"status after {name}")
        out, err = process.communicate(timeout=seep.DEADLINE)
        seep.equal(out, f"got {name}\n".encode(), f"after {name}: {err}")
    process = start("cat")
    process.stdin.write(b"x")
    seep.equal(process.stdout.read(1), b"x", "the command runs")
    process.send_signal(signal.SIGTERM)
    seep.equal(process.wait(seep.DEADLINE), 128 + 15, "a command that dies of it")
    process.communicate(timeout=seep.DEADLINE)


def test_stop_and_continue():
    """A command that is stopped and continued is not taken for one that ended."""
    process = start("cat")
    process.stdin.write(b"x")
    seep.equal(process.stdout.read(1), b"x", "the command runs")
    child = seep.child_that_runs(process.pid, "cat")
    os.kill(child, signal.SIGSTOP)
    os.kill(child, signal.SIGCONT)
    process.stdin.write(b"y")
    seep.equal(process.stdout.read(1), b"y", "it goes on")
    process.communicate(timeout=seep.DEADLINE)
    seep.equal(process.returncode, 0, "exit status")


def test_scripts():
    with folder() as path:
        script = write(os.path.join(path, "script"), "#!/bin/sh\necho script $1\n")
        result, report = seep.run_command([script, "argument"])
        seep.equal((result.status, result.out), (0, "script argument\n"), "sh script")
        seep.equal(report["target"]["coverage"]["from_start"], True, "seen from the start")
        bare = write(os.path.join(path, "bare"), "echo bare\n")
        seep.equal(run(bare).out, "bare\n", "a script without #!, as execvp(3) runs it")
        python = write(os.path.join(path, "python"), "#!/usr/bin/env python3\nprint('py')\n")
        result, report = seep.run_command([python])
        seep.equal((result.status, result.out), (0, "py\n"), "python script")
        assert report["target"]["coverage"]["allocations_seen"] > 1000, \
            f"what python allocates is seen: {report['target']['coverage']}"
        seep.check_nothing_lost(report["target"])


def test_python():
    result, report = seep.run_command(
        ["python3", "-c", "x = [bytes(1009) for i in range(997)]; print(len(x))"])
    seep.equal((result.status, result.out), (0, "997\n"), f"python3 -c: {result}")
    seep.equal(report["target"]["language"], "python", "language")
    seep.check_nothing_lost(report["target"])
    assert report["target"]["coverage"]["allocations_seen"] >= 997, "allocations"
    seep.equal(report["target"]["coverage"]["frees_of_unknown_blocks"], 0, "unknown frees")


def test_pipeline():
    """Every process of a shell's pipeline is a child of its own."""
    path = seep.workload_path("twins")
    result, report = seep.run_command(
        ["bash", "-c", f"{path} 211 31 | cat | {path} 307 11 >/dev/null; {path} 101 7; true"],
        "--by", "function")
    seep.equal(result.status, 0, f"{result}")
    found = sorted(seep.by_function(c["sites"]).get("twin_allocate", {}).get("allocated_count", 0)
                   for c in report["children"])
    seep.equal([n for n in found if n], [101, 211, 307], "blocks of the three of them")
    comms = sorted(c["target"]["comm"] for c in report["children"])
    seep.equal(comms, ["cat", "twins", "twins", "twins"], "children")


# In a namespace that shares its mounts with those made from it, but not with others of the machine.
ALONE = """mount --make-rshared / && cat /proc/self/mountinfo >"$1" || exit 99
after=$2
shift 2
"$@"
status=$?
cat /proc/self/mountinfo >"$after"
exit $status"""
OF_TESTS = ("seep-e2e", "seep-eval", "seep-python")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def test_files_are_back():
    """What run covered while it started is not left in the file system, nor are mounts."""
    names = sorted(os.listdir("/tmp"))
    libc = os.stat("/usr/lib/x86_64-linux-gnu/libc.so.6")
    with folder() as path:
        marker = os.path.join(path, "marker")
        before, after = os.path.join(path, "before"), os.path.join(path, "after")
        result = subprocess.run(
            ["unshare", "--mount", "sh", "-c", ALONE, "sh", before, after, seep.SEEPCTL, "run", "-o",
             "/dev/null", "--", "sh", "-c", f"echo written > {marker}; ls -l {marker} >&2"],
            capture_output=True, timeout=120, check=False, env=seep.environment())
        if result.returncode == 99 or not os.path.exists(before):
            raise seep.Skip(f"nothing can be mounted here: {result.stderr}")
        seep.equal(result.returncode, 0, f"{result}")
        seep.equal(read(marker), "written\n", "what the command wrote in /tmp")
        seep.equal(read(after), read(before), "mounts")
    new = [n for n in os.listdir("/tmp") if n not in names and n.startswith("seep")
           and not n.startswith(OF_TESTS)]
    seep.equal(new, [], "files in /tmp")
    after = os.stat("/usr/lib/x86_64-linux-gnu/libc.so.6")
    seep.equal((after.st_ino, after.st_size, stat.S_IMODE(after.st_mode)),
               (libc.st_ino, libc.st_size, stat.S_IMODE(libc.st_mode)), "the C library's file")


def test_others_are_not_probed():
    """While a command runs, no other process has breakpoints."""
    with seep.Workload("churn", 1, wait=False) as other:
        process = start("cat")
        process.stdin.write(b"x")
        seep.equal(process.stdout.read(1), b"x", "the command runs")
        seep.equal(seep.changed_bytes(other.pid), [], "code of another process")
        process.communicate(timeout=seep.DEADLINE)
        other.poke()
        seep.equal(other.read_line(), "alive", "the other one runs")


def test_background_child_outlives_the_command():
    """The report comes when the command ends; a child that goes on is left alone."""
    path = seep.workload_path("churn")
    process = start("bash", "-c", f"{path} 1 <&0 & echo $!; exit 5")
    pid = int(process.stdout.readline())
    seep.equal(process.wait(seep.DEADLINE), 5, "exit status")
    seep.check_no_breakpoints(pid)
    process.stdin.write(b"x")
    seep.equal(process.stdout.readline(), b"alive\n", "the child goes on")
    process.stdin.close()
    process.stdout.close()
    process.stderr.close()


def build_static(path, *options):
    source = os.path.join(seep.ROOT, "tests/workloads/twins.c")
    subprocess.run(["gcc", "-D_GNU_SOURCE", "-O2", "-g", "-fno-builtin",
                    "-fno-optimize-sibling-calls", "-static", *options, source, "-o", path],
                   check=True)
    return path


def test_static_program():
    """The allocator is in the program itself."""
    with folder() as path:
        program = build_static(os.path.join(path, "static"))
        result, report = seep.run_command([program, "211", "31"], "--by", "function")
        truth = seep.last_json(result.out)["functions"]
        seep.equal(seep.only(seep.by_function(report["sites"]), truth), truth, "figures")
        seep.check_nothing_lost(report["target"])


def test_no_allocator():
    """A program whose allocator cannot be found runs, and the report does not claim to have seen."""
    with folder() as path:
        program = build_static(os.path.join(path, "static"), "-s")
        result, report = seep.run_command([program, "211", "31"])
        seep.equal(result.status, 0, f"it runs: {result}")
        target = report["target"]
        seep.equal(target["coverage"]["allocations_seen"], 0, "allocations seen")
        assert target["mode"] == "watch" or target["error"], \
            f"it says that nothing is traced: mode {target['mode']}, error {target['error']}"
        seep.equal(target["coverage"]["from_start"], False, "what was seen from the start")


def test_command_is_described():
    path = seep.workload_path("twins")
    _, report = seep.run_command([path, "31", "7"])
    target = report["target"]
    seep.equal((target["comm"], target["exe"], target["command"]), ("twins", path, f"{path} 31 7"),
               "what is said of the command")


if __name__ == "__main__":
    seep.main(globals())
