#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the API refuses, each with its own code and a sentence; snapshots and differences."""

import contextlib
import os
import socket
import tempfile

import seep

# method, path, JSON body (None: none), status, code. "{pid}" and "{id}" are a target's.
REFUSALS = [
    ("GET", "/", None, 404, "no_such_path"),
    ("GET", "/v1", None, 404, "no_such_path"),
    ("GET", "/v1/nothing", None, 404, "no_such_path"),
    ("GET", "/v1/targets/", None, 404, "no_such_path"),
    ("GET", "/v1/targets/0-0", None, 404, "no_such_target"),
    ("GET", "/v1/targets/%00", None, 400, "bad_request"),
    ("DELETE", "/v1/targets/0-0", None, 404, "no_such_target"),
    ("PUT", "/v1/targets", {}, 405, "method_not_allowed"),
    ("PATCH", "/v1/targets/{id}", {}, 405, "method_not_allowed"),
    ("DELETE", "/v1/info", None, 405, "method_not_allowed"),
    ("POST", "/v1/targets", {}, 400, "missing_field"),
    ("POST", "/v1/targets", [], 400, "bad_json"),
    ("POST", "/v1/targets", {"selector": "{pid}", "folow": True}, 400, "unknown_field"),
    ("POST", "/v1/targets", {"selector": 4242}, 400, "wrong_type"),
    ("POST", "/v1/targets", {"selector": "{pid}", "follow": 1}, 400, "wrong_type"),
    ("POST", "/v1/targets", {"selector": None}, 400, "wrong_type"),
    ("POST", "/v1/targets", {"selector": ""}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "pid=-1"}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "pid=0"}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "pid=99999999999"}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "colour=red"}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "x" * 513}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "a\u0007b"}, 400, "bad_selector"),
    ("POST", "/v1/targets", {"selector": "4194303"}, 404, "no_such_process"),
    ("POST", "/v1/targets", {"selector": "1"}, 403, "refused_target"),
    ("POST", "/v1/targets", {"selector": "{seepd}"}, 403, "refused_target"),
    ("POST", "/v1/targets", {"selector": "{pid}"}, 409, "already_tracked"),
    ("POST", "/v1/targets", {"selector": "pid={pid}"}, 409, "already_tracked"),
    ("GET", "/v1/info?verbose=1", None, 400, "unknown_parameter"),
    ("GET", "/v1/sites?targt={id}", None, 400, "unknown_parameter"),
    ("GET", "/v1/sites?target=0-0", None, 404, "no_such_target"),
    ("GET", "/v1/sites?target={id}&target={id}", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?by=colour", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?sort=", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?include=%zz", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?include=%00", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?all_frames=yes", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?default_excludes=", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?limit=0", None, 400, "limit_out_of_range"),
    ("GET", "/v1/sites?limit=1001", None, 400, "limit_out_of_range"),
    ("GET", "/v1/sites?limit=-1", None, 400, "limit_out_of_range"),
    ("GET", "/v1/sites?limit=abc", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?limit=1e2", None, 400, "bad_parameter"),
    ("GET", "/v1/sites?limit=99999999999999999999999", None, 400, "limit_out_of_range"),
    ("GET", "/v1/diff", None, 400, "bad_parameter"),
    ("GET", "/v1/diff?from=nothing", None, 404, "no_such_snapshot"),
    ("GET", "/v1/diff?from=now&to=now", None, 404, "no_such_snapshot"),
    ("POST", "/v1/snapshots", {"name": "now"}, 400, "bad_snapshot_name"),
    ("POST", "/v1/snapshots", {"name": ""}, 400, "bad_snapshot_name"),
    ("POST", "/v1/snapshots", {"name": "a/b"}, 400, "bad_snapshot_name"),
    ("POST", "/v1/snapshots", {"name": "n" * 65}, 400, "bad_snapshot_name"),
    ("POST", "/v1/snapshots", {"nam": "x"}, 400, "unknown_field"),
    ("POST", "/v1/snapshots", {"name": "x", "target": "0-0"}, 404, "no_such_target"),
    ("DELETE", "/v1/snapshots/nothing", None, 404, "no_such_snapshot"),
    ("GET", "/v1/leaks?state=leaky", None, 400, "bad_parameter"),
    ("GET", "/v1/leaks?told=1", None, 400, "bad_parameter"),
    ("GET", "/v1/leaks?limit=0", None, 400, "limit_out_of_range"),
    ("GET", "/v1/leaks?target=0-0", None, 404, "no_such_target"),
    ("GET", "/v1/leaks/0123456789abcdef", None, 404, "no_such_leak"),
    ("GET", "/v1/leaks/0123456789abcdef/ack", None, 405, "method_not_allowed"),
    ("POST", "/v1/leaks/0123456789abcdef/ack", {}, 404, "no_such_leak"),
    ("POST", "/v1/leaks/0123456789abcdef/suppress", {"note": "x"}, 400, "unknown_field"),
    ("POST", "/v1/leaks/0123456789abcdef/mark", {}, 400, "missing_field"),
    ("GET", "/v1/history", None, 400, "bad_parameter"),
    ("GET", "/v1/history?target={id}&from=yesterday", None, 400, "bad_parameter"),
    ("GET", "/v1/history?target=0-0", None, 404, "no_such_target"),
    ("GET", "/v1/events?since=-1", None, 400, "bad_parameter"),
    ("GET", "/v1/events?follow=2", None, 400, "bad_parameter"),
]

# Bodies that are no good JSON; raw.
RAW = [
    (b"", 400, "bad_json"),
    (b"{", 400, "bad_json"),
    (b'{"selector":"1"} x', 400, "bad_json"),
    (b'{"selector":"2","selector":"3"}', 400, "bad_json"),
    (b'{"selector":"\xff"}', 400, "bad_json"),
    (b'{"selector":"a\\u0000b"}', 400, "bad_json"),
    (b'"selector"', 400, "bad_json"),
    (b"[" * 5000, 400, "bad_json"),
    (b'{"selector":"' + b"x" * 70000 + b'"}', 413, "body_too_large"),
]


def fill(value, places):
    if isinstance(value, str):
        for name, text in places.items():
            value = value.replace("{%s}" % name, text)
        return value
    if isinstance(value, dict):
        return {k: fill(v, places) for k, v in value.items()}
    return value


def check_problem(response, status, code, what):
    seep.equal((response.status, response.code), (status, code), f"{what}: {response.body[:300]}")
    problem = response.json
    seep.equal(problem["status"], status, f"status in the body of {what}")
    assert problem["title"] and problem["type"], f"title and type of {what}"
    assert problem["detail"].count(" ") >= 3, f"{what} is explained by {problem['detail']!r}"


def test_refusals():
    with seep.Daemon() as daemon, seep.Workload("twins", 31, 7) as workload:
        key = daemon.track(workload.pid)
        places = {"pid": str(workload.pid), "id": key, "seepd": str(daemon.pid)}
        wrong = []
        for method, path, body, status, code in REFUSALS:
            path, body = fill(path, places), fill(body, places)
            response = daemon.request(method, path, body)
            if status == 405:
                assert response.headers.get("allow"), f"Allow of {method} {path}"
            try:
                check_problem(response, status, code, f"{method} {path} {body}")
            except AssertionError as error:
                wrong.append(str(error))
        for raw, status, code in RAW:
            try:
                check_problem(daemon.request("POST", "/v1/targets", raw=raw), status, code,
                              f"body {raw[:40]}")
            except AssertionError as error:
                wrong.append(str(error))
        assert not wrong, "\n".join(wrong)
        response = daemon.request("POST", "/v1/targets", {"selector": str(workload.pid)},
                                  headers={"Content-Type": "text/plain"})
        check_problem(response, 415, "unsupported_media_type", "another media type")
        response = daemon.request("GET", "/v1/info", headers={"X-Long": "x" * 9000})
        check_problem(response, 431, "head_too_large", "a long head")
        # None of this changed a thing.
        seep.equal([t["id"] for t in daemon.targets()], [key], "targets")
        seep.equal(daemon.get("/v1/snapshots")["snapshots"], [], "snapshots")


def test_many_refusals():
    """A thousand bad requests cost neither memory nor descriptors: the daemon's end checks that."""
    with seep.Daemon() as daemon:
        for i in range(997):
            method, path, body, status, code = REFUSALS[i % len(REFUSALS)]
            if "{" in path + str(body) and "{}" not in str(body):
                continue
            seep.equal(daemon.request(method, path, body).status, status, f"{method} {path}")


def test_garbage():
    """Bytes that are no HTTP, halves of requests, clients that leave: the daemon answers others."""
    with seep.Daemon() as daemon:
        for data in (b"\x00" * 64, b"GET", b"GET /v1/info HTTP/1.1\r\n", b"\r\n\r\n",
                     b"GET /v1/info HTTP/9.9\r\n\r\n", b"POST /v1/targets HTTP/1.1\r\n"
                     b"Content-Length: 99\r\nContent-Type: application/json\r\n\r\n{",
                     b"GET /v1/sites HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff\xfe" * 999):
            for _ in range(7):
                s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                s.connect(daemon.socket)
                s.sendall(data)
                s.close()
        seep.equal(daemon.get("/v1/info")["name"], "seepd", "it still answers")


def test_too_many_connections():
    with seep.Daemon() as daemon:
        idle = []
        for _ in range(80):
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.connect(daemon.socket)
            s.settimeout(20)
            idle.append(s)
        refused = 0
        for s in idle[-10:]:
            with contextlib.suppress(BrokenPipeError):
                s.sendall(b"GET /v1/info HTTP/1.1\r\nHost: x\r\n\r\n")
            refused += s.recv(4096).startswith(b"HTTP/1.1 503")
        result = daemon.seepctl("status")
        seep.equal(result.status, 1, f"the client among them: {result}")
        assert "Too many clients" in result.err, f"it is told so: {result}"
        for s in idle:
            s.close()
        seep.equal(refused, 10, "connections over the limit are told so")
        seep.wait_until(lambda: daemon.request("GET", "/v1/info").status == 200,
                        "there is room again")


def test_shapes():
    """The objects have the members that are promised, of the types that are promised."""
    with seep.Daemon() as daemon, seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        workload.go()
        daemon.wait_tick()
        assert len(daemon.sites(key)) > 10, "sites"
        target = daemon.target(key)
        for name, kinds in {"id": str, "pid": int, "start_time": str, "comm": str, "exe": str,
                            "language": str, "allocators": list, "mode": str, "state": str,
                            "rss_bytes": int, "limit_bytes": (int, type(None)),
                            "live_bytes": int, "live_count": int, "overhead": dict,
                            "coverage": dict, "unit": (str, type(None)),
                            "cgroup": (str, type(None)), "container": (str, type(None)),
                            "duty_ratio": (int, float), "sampling_interval_bytes": type(None)
                            }.items():
            assert name in target and isinstance(target[name], kinds), \
                f"target.{name} is {target.get(name)!r}"
        seep.equal((target["mode"], target["comm"]), ("exact", "exact_family"), "mode and comm")
        seep.equal(target["exe"], seep.workload_path("exact_family"), "exe")
        listing = daemon.get("/v1/sites", target=key, limit=3, sort="allocated")
        seep.equal((len(listing["sites"]), listing["limit"], listing["by"], listing["sort"]),
                   (3, 3, "stack", "allocated"), "what was asked for")
        order = [s["allocated_bytes"] for s in listing["sites"]]
        seep.equal(order, sorted(order, reverse=True), "order")
        everything = daemon.get("/v1/sites", target=key, limit=1000)
        seep.equal(listing["total"], len(everything["sites"]), "total")
        for name in ("live_bytes", "live_count", *seep.FIGURES):
            seep.equal(listing["sum"][name], sum(s[name] for s in everything["sites"]),
                       f"sum of {name} is over all sites, whatever the limit")
        for site in everything["sites"]:
            seep.equal(site["target"], key, "target of a site")
            assert len(site["site_id"]) == 16 and len(site["leak_id"]) == 16, "ids"
            seep.equal(site["average_bytes"],
                       site["live_bytes"] // site["live_count"] if site["live_count"] else 0,
                       "average")
            seep.equal(set(site["trend"]), {"verdict", "bytes_per_hour", "bytes_per_hour_error",
                                            "confidence", "since"}, "trend")
            for frame in site["frames"]:
                seep.equal(set(frame), {"kind", "function", "file", "line", "module", "build_id",
                                        "offset", "approximate"}, "frame")
        workload.end()


def place_of(sites):
    """Of the one line."""
    seep.equal(len(sites), 1, f"one line of {sites}")
    return sites[0]["frames"][0]["file"], sites[0]["frames"][0]["line"]


def test_filters():
    with seep.Daemon() as daemon, seep.Workload("exact_family") as workload:
        key = daemon.track(workload.pid)
        truth = workload.go()
        daemon.wait_tick()
        found = seep.by_function(daemon.sites(key, include="call_*alloc"))
        expected = {k for k in truth["functions"] if k.endswith("alloc")}
        seep.equal(set(found), expected, "functions included")
        found = seep.by_function(daemon.sites(key, include=["call_malloc", "call_calloc"]))
        seep.equal(set(found), {"call_malloc", "call_calloc"}, "two patterns")
        listing = daemon.get("/v1/sites", target=key, by="function", exclude="call_malloc",
                             limit=1000)
        found = seep.by_function(listing["sites"])
        assert "call_malloc" not in found and "call_calloc" in found, "functions excluded"
        figures = truth["functions"]["call_malloc"]
        seep.equal({k: listing["hidden"][k] for k in seep.FIGURES}, figures, "what is hidden")
        seep.equal(listing["hidden"]["sites"], 1, "sites that are hidden")
        seep.equal(daemon.sites(key, include="nothing_like_this"), [], "no match")
        file, line = place_of(daemon.sites(key, by="line", include="call_malloc"))
        seep.equal(place_of(daemon.sites(key, by="line", include=f"exact_family.c:{line}")),
                   (file, line), "a file and a line")
        seep.equal(daemon.sites(key, include="main"), [], "nobody is blamed on main")
        found = seep.by_function(daemon.sites(key, include="main", all_frames="true"))
        assert {"call_malloc", "call_calloc"} <= set(found), f"all frames: {found}"
        workload.end()


def test_snapshots():
    with seep.Daemon() as daemon, seep.Workload("leak_steady", 997, 101, wait=False) as workload:
        key = daemon.track(workload.pid)
        seep.wait_until(lambda: daemon.target(key)["live_count"] > 100, "blocks leak")
        response = daemon.request("POST", "/v1/snapshots", {"name": "before", "target": key})
        seep.equal(response.status, 201, f"a snapshot: {response.body[:300]}")
        seep.equal(response.headers.get("location"), "/v1/snapshots/before", "where it is")
        before = response.json
        check_problem(daemon.request("POST", "/v1/snapshots", {"name": "before"}), 409,
                      "snapshot_exists", "the same name")
        seep.wait_until(lambda: daemon.target(key)["live_count"] > before["live_count"] + 503,
                        "more blocks leak")
        seep.equal(daemon.request("POST", "/v1/snapshots", {"name": "after", "target": key}).status,
                   201, "another one")
        after = {s["name"]: s for s in daemon.get("/v1/snapshots")["snapshots"]}["after"]
        diff = daemon.get("/v1/diff", **{"from": "before", "to": "after", "by": "function"})
        site = next(s for s in diff["sites"] if s["frames"][0]["function"] == "leak_one")
        grown = after["live_count"] - before["live_count"]
        seep.equal((site["live_count"], site["live_bytes"], site["allocated_count"]),
                   (grown, 101 * grown, grown), "what came between the two")
        check_problem(daemon.request("GET", "/v1/diff?from=after&to=before"), 400, "bad_parameter",
                      "the other way round")
        diff = daemon.get("/v1/diff", **{"from": "before", "by": "function"})
        site = next(s for s in diff["sites"] if s["frames"][0]["function"] == "leak_one")
        assert site["live_count"] >= grown, "up to now it is at least as much"
        # They outlive their target.
        workload.kill()
        daemon.wait_gone()
        diff = daemon.get("/v1/diff", **{"from": "before", "to": "after", "by": "function"})
        seep.equal(diff["sites"][0]["frames"][0]["function"], "leak_one", "names are still known")
        for name in ("before", "after"):
            seep.equal(daemon.request("DELETE", f"/v1/snapshots/{name}").status, 204, name)
        seep.equal(daemon.get("/v1/snapshots")["snapshots"], [], "all are dropped")


def test_snapshots_outlive_the_daemon():
    """Also one that is killed: then the same process is tracked anew, and compared by line."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as state, \
         seep.Workload("leak_steady", 997, 101, wait=False) as workload:
        with seep.Daemon(state_dir=state, check=False) as daemon:
            key = daemon.track(workload.pid)
            seep.wait_until(lambda: daemon.target(key)["live_count"] > 100, "blocks leak")
            before = daemon.request("POST", "/v1/snapshots", {"name": "before", "target": key}).json
            seep.equal(before["kept"], True, "it is kept")
        with seep.Daemon(state_dir=state) as daemon:
            seep.equal(daemon.get("/v1/snapshots")["snapshots"], [before], "after the restart")
            check_problem(daemon.request("POST", "/v1/snapshots", {"name": "before"}), 409,
                          "snapshot_exists", "the same name")
            check_problem(daemon.request("GET", "/v1/diff?from=before"), 404, "no_such_target",
                          "a process that nobody tracks")
            key = daemon.track(workload.pid)
            seep.wait_until(lambda: daemon.target(key)["live_count"] > before["live_count"] + 503,
                            "more blocks leak")
            after = daemon.request("POST", "/v1/snapshots", {"name": "after", "target": key}).json
            diff = daemon.get("/v1/diff", **{"from": "before", "to": "after", "by": "line"})
            grown = after["live_count"] - before["live_count"]
            site = diff["sites"][0]
            seep.equal((site["frames"][0]["function"], site["live_count"], site["live_bytes"]),
                       ("leak_one", grown, 101 * grown), "what came between the two")
            with open(site["frames"][0]["file"], encoding="utf-8") as f:
                text = f.read().splitlines()[site["frames"][0]["line"] - 1]
            assert "malloc(bytes)" in text, f"the line is {text!r}"
            seep.equal(diff["live_only"], True, "by what is live")
            assert before["taken_at"] < diff["counted_since"] < after["taken_at"], diff
            diff = daemon.get("/v1/diff", **{"from": "before", "by": "line"})
            assert diff["sites"][0]["live_count"] >= grown, "up to now it is at least as much"
            out = daemon.seepctl("diff", "before").out
            assert "leak_one" in out and "count as freed" in out, out
            for name in ("before", "after"):
                seep.equal(daemon.request("DELETE", f"/v1/snapshots/{name}").status, 204, name)
        with seep.Daemon(state_dir=state) as daemon:
            seep.equal(daemon.get("/v1/snapshots")["snapshots"], [], "what is dropped stays so")


def test_too_many_snapshots():
    with seep.Daemon() as daemon:
        made = 0
        while made < 1000:
            response = daemon.request("POST", "/v1/snapshots", {"name": f"s{made}"})
            if response.status != 201:
                break
            made += 1
        check_problem(response, 409, "too_many_snapshots", "one too many")
        seep.equal(made, 64, "snapshots kept")


def test_second_daemon():
    """A socket on which another daemon answers is left alone."""
    with seep.Daemon() as daemon:
        inode = os.stat(daemon.socket).st_ino
        second = seep.subprocess.run([seep.SEEPD, "--socket", daemon.socket], capture_output=True,
                                     timeout=seep.DEADLINE, check=False)
        seep.equal(second.returncode, 1, f"exit status: {second.stderr}")
        assert daemon.socket.encode() in second.stderr, f"it says {second.stderr!r}"
        seep.equal(os.stat(daemon.socket).st_ino, inode, "the socket file")
        seep.equal(daemon.request("GET", "/healthz").status, 200, "the first one answers")


if __name__ == "__main__":
    seep.main(globals())
