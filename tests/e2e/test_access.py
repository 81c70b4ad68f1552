#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who may do what: root all, other users what concerns their own processes."""

import os

import seep

NOBODY = 65534


def as_nobody():
    seep.die_with_parent()
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def client(daemon, *arguments):
    return seep.seepctl("--socket", daemon.socket, *arguments, preexec_fn=as_nobody, cwd="/")


def reachable():
    """The client as another user sees it; the tree may lie where only root can look."""
    probe = seep.subprocess.run(["test", "-x", seep.SEEPCTL], preexec_fn=as_nobody, check=False)
    if probe.returncode != 0:
        raise seep.Skip(f"{seep.SEEPCTL} cannot be executed by another user")


def test_other_user():
    reachable()
    with seep.Daemon() as daemon, seep.Workload("twins", 31, 7) as roots, \
            seep.Workload("twins", 37, 11, user=NOBODY, group=NOBODY, extra_groups=[]) as own:
        os.chmod(daemon.socket, 0o666)
        key = daemon.track(roots.pid)
        roots.go()
        for arguments, status in ((["track", str(roots.pid)], 4), (["track", "exe=*twins"], 4),
                                  (["untrack", str(roots.pid)], 4), (["untrack", key], 4),
                                  (["snapshot", "mine"], 4)):
            result = client(daemon, *arguments)
            seep.equal(result.status, status, f"{arguments}: {result}")
            assert result.err.strip(), f"{arguments} says why"
        seep.equal(client(daemon, "targets", "-j").json["targets"], [], "others' targets are hidden")
        seep.equal(client(daemon, "sites", "-j").json["sites"], [], "others' sites are hidden")
        assert client(daemon, "sites", key).status in (4, 5), "sites of another's target"
        seep.equal(daemon.target(key)["state"], "traced", "it is still tracked")
        # What is their own they may watch.
        result = client(daemon, "track", str(own.pid))
        seep.equal(result.status, 0, f"track an own process: {result}")
        mine = daemon.find(own.pid)["id"]
        daemon.wait_traced(mine)
        truth = own.go()["functions"]
        seep.wait_equal(lambda: seep.only(seep.by_function(
            client(daemon, "sites", str(own.pid), "--by", "function", "-j").json["sites"]), truth),
            truth, "own figures")
        seep.equal([t["pid"] for t in client(daemon, "targets", "-j").json["targets"]], [own.pid],
                   "own targets")
        seep.equal(client(daemon, "untrack", str(own.pid)).status, 0, "untrack an own process")
        roots.end()
        own.end()


def test_socket_is_closed_to_others():
    """By default the socket's mode keeps others out; the client says what to do."""
    reachable()
    with seep.Daemon() as daemon:
        seep.equal(os.stat(daemon.socket).st_mode & 0o777, 0o660, "mode of the socket")
        result = client(daemon, "status")
        seep.equal((result.status, result.out), (4, ""), f"status: {result}")
        assert "seep" in result.err, f"it names the group: {result}"


def test_without_root():
    """What needs privileges says so."""
    reachable()
    for arguments in (["run", "--", "true"], ["trace", "1234"]):
        result = seep.seepctl(*arguments, preexec_fn=as_nobody, cwd="/")
        seep.equal((result.status, result.out), (4, ""), f"{arguments}: {result}")
        assert "root" in result.err or "privilege" in result.err or "permi" in result.err.lower(), \
            f"it says what is missing: {result}"
    result = seep.seepctl("doctor", preexec_fn=as_nobody, cwd="/")
    seep.equal(result.status, 1, f"doctor: {result}")
    daemon = seep.subprocess.run([seep.SEEPD, "--socket", "/tmp/seep-e2e-nobody.sock"],
                                 preexec_fn=as_nobody, capture_output=True, check=False, timeout=seep.DEADLINE)
    seep.equal(daemon.returncode, 1, f"seepd: {daemon.stderr}")
    assert b"root" in daemon.stderr or b"permi" in daemon.stderr.lower(), f"{daemon.stderr}"


if __name__ == "__main__":
    seep.main(globals())
