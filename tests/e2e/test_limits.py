#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that are hostile, slow, or from elsewhere: they get little, and leave nothing behind."""

import contextlib
import os
import random
import socket

import seep

NOBODY = 65534
SLOW_CLIENTS = 64
MALFORMED = 10_000

REQUESTS = (b"GET /v1/info HTTP/1.1\r\nHost: seep\r\n\r\n",
            b"POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 20\r\n\r\n{\"selector\":\"comm=x\"}",
            b"GET /v1/sites?by=line&limit=7 HTTP/1.1\r\nAccept: */*\r\n\r\n",
            b"DELETE /v1/targets/1-1 HTTP/1.1\r\n\r\n",
            b"GET /v1/events?since=0 HTTP/1.1\r\nAccept: text/event-stream\r\n\r\n")

NONSENSE = (b"", b"\0", b"\r\n\r\n", b"GET", b"GET / HTTP/9.9\r\n\r\n", b"\xff" * 300,
            b"GET " + b"/" * 9000 + b" HTTP/1.1\r\n\r\n",
            b"POST /v1/targets HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"POST /v1/targets HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            b"POST /v1/targets HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
            b"GET /v1/targets/%zz HTTP/1.1\r\n\r\n", b"GET /v1/sites?%00 HTTP/1.1\r\n\r\n",
            b"POST /v1/targets HTTP/1.1\r\nContent-Type: application/json\r\n"
            b"Content-Length: 4\r\n\r\n[[[[")


def connect(path, timeout=seep.DEADLINE):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(timeout)
    client.connect(path)
    return client


def mangle(generator):
    """A request with some bytes changed, doubled, or cut off."""
    data = bytearray(generator.choice(REQUESTS + NONSENSE))
    for _ in range(generator.randrange(1, 5)):
        if not data:
            return b"\n"
        at = generator.randrange(len(data))
        kind = generator.randrange(3)
        if kind == 0:
            data[at] = generator.randrange(256)
        elif kind == 1:
            data[at:at] = data[at:at + generator.randrange(1, 40)]
        else:
            del data[at + generator.randrange(len(data) - at):]
    return bytes(data)


def send_and_leave(path, data):
    with contextlib.suppress(OSError), connect(path) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        while client.recv(65536):
            pass


def ask_loopback(port, method, path, **headers):
    connection = seep.http.client.HTTPConnection("127.0.0.1", port, timeout=seep.DEADLINE)
    try:
        connection.request(method, path, headers={k.replace("_", "-"): v for k, v in
                                                  headers.items()})
        return seep.Response(connection.getresponse())
    finally:
        connection.close()


def test_malformed_requests():
    """Memory and descriptors are looked at by the context."""
    generator = random.Random(20261126)
    with seep.Daemon() as daemon:
        for i in range(MALFORMED):
            send_and_leave(daemon.socket, mangle(generator))
            if i % 1000 == 0:
                seep.equal(daemon.request("GET", "/healthz").status, 200, f"after {i} of them")
        # Those that were changed for the better may have tracked something.
        for s in daemon.get("/v1/targets")["selectors"]:
            daemon.untrack(s["selector"])
        seep.wait_equal(lambda: daemon.get("/v1/info")["usage"]["connections"], 1,
                        "connections that are left")


def test_slow_clients():
    """As many as there may be, that send half of a head or a body: others wait no longer than told."""
    with seep.Daemon() as daemon:
        clients = []
        for i in range(SLOW_CLIENTS):
            client = connect(daemon.socket)
            request = REQUESTS[i % 2]
            client.sendall(request[:len(request) - 3])
            clients.append(client)
        # There is no room for another; it is told so, and does not wait.
        response = daemon.request("GET", "/healthz")
        seep.equal((response.status, response.code), (503, "too_many_connections"), "one more")
        clients.pop().close()
        seep.wait_equal(lambda: daemon.request("GET", "/healthz").status, 200, "when one has gone")
        # A byte now and then does not keep them: a request may take half a minute.
        for client in clients[::2]:
            client.settimeout(0)
        alive = set(clients[::2])

        def all_are_left():
            for client in list(alive):
                try:
                    client.send(b"x")
                except OSError:
                    alive.discard(client)
            return not alive
        seep.wait_until(all_are_left, "those that trickle are left", deadline=120)
        seep.wait_equal(lambda: daemon.get("/v1/info")["usage"]["connections"], 1,
                        "connections that are left", deadline=120)
        for client in clients:
            client.close()


def test_slow_followers():
    """They take nothing: no more than a buffer each waits for them."""
    with seep.Daemon() as daemon:
        clients = []
        for _ in range(16):
            client = connect(daemon.socket)
            client.sendall(b"GET /v1/events?follow=1&since=0 HTTP/1.1\r\n\r\n")
            clients.append(client)
        seep.wait_equal(lambda: daemon.get("/v1/info")["usage"]["connections"], 17, "followers")
        response = daemon.request("GET", "/v1/events?follow=1")
        seep.equal((response.status, response.code), (503, "too_many_followers"), "one more")
        for client in clients:
            client.close()


def test_one_user_leaves_room_for_others():
    with seep.Daemon(config={"seep.conf": "[Access]\nOthers=yes\n"}) as daemon:
        seep.equal(os.stat(daemon.socket).st_mode & 0o777, 0o666, "mode of the socket")
        hoarder = seep.subprocess.Popen(
            ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups",
             "python3", "-c", "import socket, sys\n"
             "clients = [socket.socket(socket.AF_UNIX) for _ in range(60)]\n"
             "for c in clients: c.connect(sys.argv[1])\n"
             "print('all', flush=True)\n"
             "sys.stdin.read()", daemon.socket],
            stdin=seep.subprocess.PIPE, stdout=seep.subprocess.PIPE,
            preexec_fn=seep.die_with_parent)
        seep.equal(hoarder.stdout.readline(), b"all\n", "it has connected")
        seep.wait_equal(lambda: daemon.get("/v1/info")["usage"]["connections"], 9,
                        "eight of them, and this one")
        hoarder.communicate()


def test_loopback():
    port = seep.free_port()
    with seep.Daemon("--http", f"127.0.0.1:{port}", check=False) as daemon, \
            seep.Workload("twins", 31, 7) as shop:
        key = daemon.track(shop.pid)
        for path in ("/healthz", "/readyz", "/metrics", "/v1/sd"):
            seep.equal(ask_loopback(port, "GET", path).status, 200, path)
        for method, path in (("GET", "/v1/targets"), ("GET", f"/v1/targets/{key}"),
                             ("GET", "/v1/sites"), ("GET", "/v1/info"), ("GET", "/v1/events"),
                             ("DELETE", f"/v1/targets/{key}"), ("POST", "/v1/snapshots")):
            response = ask_loopback(port, method, path)
            seep.equal((response.status, response.code), (403, "not_permitted"),
                       f"{method} {path}")
        seep.equal(daemon.target(key)["state"], "traced", "it is still tracked")
        for headers in ({"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example"},
                        {"Origin": "http://evil.example"}, {"Origin": "null"}):
            response = ask_loopback(port, "GET", "/metrics", **headers)
            seep.equal((response.status, response.code), (403, "foreign_host"), f"{headers}")
        response = ask_loopback(port, "GET", "/metrics", Host=f"localhost:{port}",
                                Origin=f"http://localhost:{port}")
        seep.equal(response.status, 200, "of this machine")
        services = [t["labels"]["service_name"] for t in ask_loopback(port, "GET", "/v1/sd").json]
        seep.equal(services, [os.path.realpath(f"/proc/{shop.pid}/exe")], "services")
        assert f'seep_service_processes{{service="{services[0]}"}} 1\n' in \
            ask_loopback(port, "GET", "/metrics").body.decode(), "metrics"
        shop.go()
        shop.end()


def test_loopback_is_off():
    with seep.Daemon(check=False) as daemon:
        with open(f"/proc/{daemon.pid}/net/tcp", encoding="ascii") as f:
            inodes = {line.split()[9] for line in list(f)[1:]}
        own = {seep.link_of(f"/proc/{daemon.pid}/fd/{fd}") for fd in
               os.listdir(f"/proc/{daemon.pid}/fd")}
        assert any((link or "").startswith("socket:") for link in own), own
        seep.equal([i for i in inodes if f"socket:[{i}]" in own], [], "TCP sockets")


def test_loopback_refuses_other_addresses():
    for address in ("0.0.0.0:9837", "192.0.2.1:9837", "[::]:9837"):
        result = seep.subprocess.run([seep.SEEPD, "--http", address], capture_output=True,
                                     timeout=seep.DEADLINE, check=False)
        seep.equal(result.returncode, 2, f"{address}: {result.stderr}")


def test_operators_are_logged():
    with seep.Daemon() as daemon, seep.Workload("twins", 31, 7) as shop:
        key = daemon.track(shop.pid)
        daemon.request("POST", "/v1/snapshots", {"name": "one"})
        daemon.request("DELETE", "/v1/snapshots/one")
        daemon.request("DELETE", "/v1/snapshots/one")
        daemon.request("POST", "/v1/leaks/0123456789abcdef/ack", {})
        daemon.untrack(key)
        who = f"uid 0 (pid {os.getpid()}, python3)"
        for line in (f"{who} tracks {shop.pid}, processes now: 1: 201",
                     f"{who} takes snapshot one: 201", f"{who} deletes snapshot one: 204",
                     f"{who} deletes snapshot one: 404",
                     f"{who} POST /v1/leaks/0123456789abcdef/ack: 404",
                     f"{who} untracks {key}: 204"):
            seep.wait_until(lambda l=line: l in daemon.log_whole(), f"it logs '{line}'")
        shop.go()
        shop.end()


if __name__ == "__main__":
    seep.main(globals())
