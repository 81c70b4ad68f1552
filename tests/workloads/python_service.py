#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A service whose sessions live in a dict, with a cache of bounded size beside it.

python_service.py [--clean] [--tasks]: sessions come and go; every so many are not taken out of the dict
again, unless it is clean. With --tasks they are tasks of asyncio in a set. A line on standard input is
answered by one of JSON: "grown" by how many had leaked when, [[seconds since 1970, objects], ...]; others
by how many objects of each type the collector knows, and it waits for one more line.
"""

import array
import asyncio
import collections
import gc
import json
import select
import sys
import time

PER_STEP = 60  # sessions
LEAKED = 20  # of these
STEPS_TO_LIVE = 15  # the others
STEP_SECONDS = 0.05
CACHE_SIZE = 3000
STEPS = 10000  # of which it knows when they were; more are not watched


class Growth:
    """How many had leaked when. It takes its memory at once, and no objects."""

    def __init__(self):
        self.times = array.array("d", bytes(8 * STEPS))
        self.counts = array.array("q", bytes(8 * STEPS))
        self.steps = 0
        self.leaked = 0

    def note(self):
        if self.steps < STEPS:
            self.times[self.steps] = time.time()
            self.counts[self.steps] = self.leaked
            self.steps += 1

    def points(self):
        return list(zip(self.times[:self.steps], self.counts[:self.steps]))


growth = Growth()


class Session:
    def __init__(self, number):
        self.number = number
        self.name = f"session {number}"
        self.buffer = [number, number + 1, number + 2]


class Entry:
    def __init__(self, key):
        self.key = key


class Service:
    def __init__(self, clean):
        self.clean = clean
        self.sessions = {}
        self.cache = collections.OrderedDict()
        self.closing = collections.deque()
        self.number = 0

    def open(self, leaks):
        self.number += 1
        self.sessions[self.number] = Session(self.number)
        if leaks:
            growth.leaked += 1
        else:
            self.closing[-1].append(self.number)

    def look_up(self, key):
        entry = self.cache.pop(key, None) or Entry(key)
        self.cache[key] = entry
        if len(self.cache) > CACHE_SIZE:
            self.cache.popitem(last=False)

    def step(self):
        self.closing.append([])
        for i in range(PER_STEP):
            self.open(not self.clean and i < LEAKED)
            self.look_up(self.number)
        if len(self.closing) > STEPS_TO_LIVE:
            for number in self.closing.popleft():
                del self.sessions[number]


background = set()


async def audit(number):
    return number


async def handle(number):
    await asyncio.sleep(STEPS_TO_LIVE * STEP_SECONDS)
    return number


def spawn(number):
    task = asyncio.create_task(handle(number))
    task.add_done_callback(lambda done: None)
    leaked = asyncio.create_task(audit(number))
    background.add(leaked)
    growth.leaked += 1


def count_objects():
    gc.collect()
    counts = collections.Counter()
    for o in gc.get_objects():
        t = type(o)
        counts[t.__qualname__ if t.__module__ == "builtins"
               else f"{t.__module__}.{t.__qualname__}"] += 1
    return counts


def answer():
    """False: standard input has ended."""
    while select.select([sys.stdin], [], [], 0)[0]:
        line = sys.stdin.readline()
        if not line:
            return False
        if line == "grown\n":
            print(json.dumps(growth.points()), flush=True)
            continue
        print(json.dumps(count_objects()), flush=True)
        # Quiet until the next line, so that both can be compared.
        if not sys.stdin.readline():
            return False
    return True


async def main():
    service = Service("--clean" in sys.argv)
    growth.note()
    print(json.dumps({"ready": True}), flush=True)
    while answer():
        if "--tasks" in sys.argv:
            for i in range(LEAKED):
                spawn(i)
        else:
            service.step()
        growth.note()
        await asyncio.sleep(STEP_SECONDS)


asyncio.run(main())
