#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A leak of a running process is told, once, with its line; what only fills up is not.

The detector's tick is 50 ms here: a minute of a service's life is 50 ms of a test's.
"""

import json
import os
import stat
import tempfile

import grown
import seep

TICK = ("--detector-tick", "50ms")
LIMIT = 48 << 20
RATE_MARGIN = 0.05  # of an interval of 1.6 s: at each end a step of 20 ms may be in another one


def start(daemon, *arguments):
    workload = seep.Workload("service", *arguments, wait=False)
    try:
        return workload, daemon.track(workload.pid, limit_bytes=LIMIT)
    except BaseException:
        workload.kill()
        raise


def function_of(leak):
    return leak["frames"][0]["function"] if leak["frames"] else None


def test_a_leak_is_told_and_a_warm_up_is_not():
    with seep.Daemon(*TICK) as daemon:
        workload, key = start(daemon)
        with workload:
            told = daemon.wait_told(key)
            seep.equal([function_of(l) for l in told], ["make_record"], "what is told")
            leak = told[0]
            seep.equal((leak["state"], leak["scope"], leak["times_told"]),
                       ("leaking", "stack", 1), "how")
            frame = leak["frames"][0]
            with open(frame["file"], encoding="utf-8") as f:
                text = f.read().splitlines()[frame["line"] - 1]
            assert "malloc(RECORD_BYTES)" in text, f"line {frame['line']} is {text!r}"
            check_alert(leak)
            check_hint(daemon, leak["id"])
            check_commands(daemon, leak)
            workload.process.stdin.close()
            check_rate(leak, json.loads(workload.read_line()))
            seep.wait_until(lambda: daemon.get(f"/v1/leaks/{leak['id']}")["closed_at"],
                            "it is closed by the exit")
        check_events(daemon, leak["id"])


def check_alert(leak):
    assert leak["confidence"] >= 0.8, leak["confidence"]
    assert len(leak["evidence"]) >= 5 and leak["would_disprove"], leak["evidence"]


def check_rate(leak, truth):
    """In exact mode all that leaked was counted."""
    rate = grown.check_rate(leak, grown.Grown(truth["grown"]), RATE_MARGIN)
    limit = leak["limit"]
    until = limit["headroom_bytes"] / rate * 3600
    # What else the process has grown by brings it nearer: the cache.
    assert 0.7 * until < limit["seconds_to_limit"] <= (1 + RATE_MARGIN) * until, (limit, until)


def check_hint(daemon, leak):
    """It needs a steady rate, which a busy machine may not have let it have until it is told."""
    def hint():
        got = daemon.get(f"/v1/leaks/{leak}")
        return got["hint"] and (got["hint"], got["evidence"][-1])
    text, last = seep.wait_until(hint, "a hint")
    assert "before the free()" in text and last == text, (text, last)


def check_commands(daemon, leak):
    listing = daemon.seepctl("leaks")
    assert "make_record" in listing.out and "leaking" in listing.out, listing
    assert "fill_page" not in listing.out, listing
    shown = daemon.seepctl("show", leak["id"][:6])
    assert "service.c" in shown.out and leak["id"] in shown.out, shown
    seep.equal(daemon.seepctl("check").status, 2, "check is critical")
    verdicts = {s["frames"][0]["function"]: s["trend"]["verdict"]
                for s in daemon.sites(leak["target"], by="stack")}
    seep.equal(verdicts["make_record"], "leaking", "verdict of the site")
    seep.equal(verdicts["fill_page"], "quiet", "verdict of the cache's site")
    acknowledged = daemon.seepctl("ack", leak["id"], "--note", "ticket 4711")
    seep.equal(acknowledged.status, 0, f"ack: {acknowledged}")
    got = daemon.get(f"/v1/leaks/{leak['id']}")
    seep.equal((got["acknowledged"], got["note"]), (True, "ticket 4711"), "as acknowledged")
    seep.equal(daemon.seepctl("check").status, 0, "check, with all acknowledged")


def events_of(daemon, leak):
    result = daemon.seepctl("events", "-j")
    events = [json.loads(line) for line in result.out.splitlines()]
    numbers = [int(e["id"]) for e in events]
    seep.equal(numbers, sorted(set(numbers)), "numbers rise")
    return [e for e in events if e["leak"]["id"] == leak]


def kinds_of_events(daemon, leak):
    return [e["event"] for e in events_of(daemon, leak)]


def check_events(daemon, leak):
    kinds = kinds_of_events(daemon, leak)
    for kind in ("opened", "acknowledged", "closed"):
        seep.equal(kinds.count(kind), 1, f"events '{kind}' in {kinds}")


def test_a_clean_service_is_nobodys_alert():
    """For as long as the leak above takes twice over."""
    with seep.Daemon(*TICK) as daemon:
        workload, key = start(daemon, "--clean")
        with workload:
            def ticks():
                judged = daemon.get("/v1/info")["detector"]
                assert judged["judged"] >= 0
                return daemon.target(key)["coverage"]["allocations_seen"]
            seep.wait_until(lambda: ticks() > 20 * 50 * 31, "31 seconds of requests",
                            deadline=240)
            seep.equal([function_of(l) for l in daemon.leaks() if l["told"]], [], "alerts")


def test_a_restart_of_the_daemon_tells_nothing_again():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as state:
        with seep.Daemon(*TICK, state_dir=state, check=False) as daemon:
            workload, key = start(daemon)
            leak = daemon.wait_told(key)[0]
            daemon.request("POST", f"/v1/leaks/{leak['id']}/mark", {"mark": "true"})
            last = daemon.get(f"/v1/leaks/{leak['id']}")
            seep.equal(daemon.stop(), 0, f"exit status: {daemon.log()}")
        with workload, seep.Daemon(*TICK, state_dir=state, check=False) as daemon:
            found = daemon.get(f"/v1/leaks/{leak['id']}")
            for key in ("state", "told", "opened_at", "times_told", "frames", "evidence", "mark"):
                seep.equal(found[key], last[key], f"{key} of the alert after the restart")
            seep.equal(found["closed_at"], None, "it is open")
            seep.equal(found["target"], None, "of no process yet")
            key = daemon.track(workload.pid, limit_bytes=LIMIT)
            seep.wait_equal(lambda: [l["id"] for l in daemon.leaks(target=key)
                                     if l["told"] and l["state"] == "leaking"], [leak["id"]],
                            "the alert is the process's again", deadline=150)
            again = daemon.get(f"/v1/leaks/{leak['id']}")
            seep.equal(again["opened_at"], last["opened_at"], "since when it is told")
            seep.equal(kinds_of_events(daemon, leak["id"]).count("opened"), 1,
                       "it was opened once")
            seep.equal(daemon.stop(), 0, f"exit status: {daemon.log()}")


def test_a_later_life_is_judged_by_the_earlier_one():
    """The same leak in a new process: seen in a fraction of the time, and the alert goes on."""
    with seep.Daemon(*TICK) as daemon:
        leaked = []
        for _ in range(2):
            workload, key = start(daemon)
            with workload:
                leak = daemon.wait_told(key)[0]
                leaked.append(leaked_when_told(daemon, leak["id"]))
                seep.equal(function_of(leak), "make_record", "what is told")
                workload.end()
                daemon.wait_gone()
        assert leaked[1] < leaked[0] / 3, f"bytes that had leaked when told: {leaked}"


def leaked_when_told(daemon, leak):
    """By the last event that told it: since then more has leaked."""
    return [e["leak"]["leaked_bytes"] for e in events_of(daemon, leak)
            if e["event"] in ("opened", "resumed")][-1]


def write_script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, 0o755)
    return path


def test_a_command_gets_the_event():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        os.chmod(folder, 0o777 | stat.S_ISVTX)
        out = os.path.join(folder, "event.json")
        script = write_script(folder, "tell",
                              f"#!/bin/sh\ncat >{out}.new\nid -un >{out}.user\n"
                              f"mv {out}.new {out}.$1\n")
        with seep.Daemon(*TICK, "--on-alert", f"{script} told") as daemon:
            workload, key = start(daemon)
            with workload:
                leak = daemon.wait_told(key)[0]
                seep.wait_until(lambda: os.path.exists(out + ".told"), "the command has run")
                with open(out + ".told", encoding="utf-8") as f:
                    event = json.load(f)
                seep.equal((event["event"], event["leak"]["id"]), ("opened", leak["id"]),
                           "what it was given")
                with open(out + ".user", encoding="utf-8") as f:
                    seep.equal(f.read().strip(), "nobody", "whom it runs as")


def test_suppressed_leaks_are_told_to_nobody():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        path = os.path.join(folder, "suppressions")
        with open(path, "w", encoding="utf-8") as f:
            f.write("# known\nleak:make_rec*\n")
        with seep.Daemon(*TICK, "--suppressions", path) as daemon:
            workload, key = start(daemon)
            with workload:
                seep.wait_until(lambda: [l for l in daemon.leaks(target=key)
                                         if l["state"] == "leaking"], "it leaks", deadline=150)
                leak = daemon.leaks(target=key)[0]
                assert leak["suppressed_by"], leak
                seep.equal(leak["times_told"], 0, "told")
                seep.equal(daemon.seepctl("check").status, 0, "check")


if __name__ == "__main__":
    seep.main(globals())
