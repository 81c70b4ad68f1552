# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes objects of one type in two lines: what one of them makes stays, what the other makes does not.

makers.py tasks|instances|slots|bare|dicts|lists|closures|bytes

A byte on standard input is answered by what tracemalloc knows (with PYTHONTRACEMALLOC=1), as JSON: bytes by
line of this file; then it stands still until there is another.
"""

import asyncio
import collections
import json
import select
import sys
import tracemalloc

STEP_SECONDS = 0.05
PER_STEP = 40
STEPS_TO_LIVE = 5

kept = collections.deque()
passing = collections.deque()


class Plain:
    def __init__(self, number):
        self.number = number
        self.text = str(number)


class Slotted:
    __slots__ = ("number", "text", "more")

    def __init__(self, number):
        self.number = number


class Bare:
    pass


def plain_stays(i):
    return Plain(i)  # instances stays


def plain_goes(i):
    return Plain(i)


def slotted_stays(i):
    return Slotted(i)  # slots stays


def slotted_goes(i):
    return Slotted(i)


def bare_stays(_):
    return Bare()  # bare stays


def bare_goes(_):
    return Bare()


def dict_stays(i):
    return {"number": i, "next": i + 1}  # dicts stays


def dict_goes(i):
    return {"number": i, "next": i + 1}


def list_stays(i):
    return [i, i + 1, i + 2, i + 3]  # lists stays


def list_goes(i):
    return [i, i + 1, i + 2, i + 3]


def closure_stays(i):
    return lambda: i  # closures stays


def closure_goes(i):
    return lambda: i


def bytes_stay(i):
    return b"%64d" % i


def bytes_go(i):
    return b"%64d" % i


async def run(number):
    return number


async def handle(number):
    await asyncio.sleep(STEPS_TO_LIVE * STEP_SECONDS)
    return number


def task_stays(i):
    return asyncio.create_task(run(i))  # tasks stays


def task_goes(i):
    return asyncio.create_task(handle(i))


MAKERS = {
    "tasks": (task_stays, task_goes),
    "instances": (plain_stays, plain_goes),
    "slots": (slotted_stays, slotted_goes),
    "bare": (bare_stays, bare_goes),
    "dicts": (dict_stays, dict_goes),
    "lists": (list_stays, list_goes),
    "closures": (closure_stays, closure_goes),
    "bytes": (bytes_stay, bytes_go),
}


def tell():
    """Of nothing: it is not traced."""
    if not select.select([sys.stdin], [], [], 0)[0]:
        return
    sys.stdin.buffer.raw.read(1)
    lines = {}
    if tracemalloc.is_tracing():
        for s in tracemalloc.take_snapshot().statistics("lineno"):
            if s.traceback[0].filename == __file__:
                lines[s.traceback[0].lineno] = s.size
    print(json.dumps(lines), flush=True)
    sys.stdin.buffer.raw.read(1)


async def main():
    stays, goes = MAKERS[sys.argv[1]]
    print("ready", flush=True)
    while True:
        passing.append([goes(i) for i in range(PER_STEP)])
        for i in range(PER_STEP):
            kept.append(stays(i))
        if len(passing) > STEPS_TO_LIVE:
            passing.popleft()
        tell()
        await asyncio.sleep(STEP_SECONDS)


asyncio.run(main())
