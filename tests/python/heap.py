#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A heap that is known: heap.py quiet|load|tasks|million

Prints one line of JSON, the truth, and lives until it is killed. Runs with Python 3.8 and later.

quiet    objects of many kinds; what the collector tracks by type, then, on standard error, the blocks of
         each size class (sys._debugmallocstats()). Nothing is allocated after that.
load     200000 objects that stay, a ring of 50000 that are replaced all the time, and cyclic garbage
tasks    tasks, coroutines, generators and frames in known states
task-load  tasks that come and go at full speed
million  a million objects that stay
forks    200000 objects that stay, and child processes that come and go
imitations    what looks like objects and is none
interpreters  three interpreters in one process
"""

import array
import asyncio
import collections
import datetime
import gc
import itertools
import json
import os
import signal
import sys
import threading

pause = signal.pause


class Plain:
    def __init__(self, number):
        self.number = number
        self.text = str(number)


class Slots:
    __slots__ = ("x", "y")


class Derived:
    """Classes of the built-in ones; their objects have a dict as well."""


def derive(name, base):
    made = type(name, (base,), {"__module__": "__main__"})
    setattr(Derived, name, made)
    return made


AList = derive("AList", list)
ADict = derive("ADict", dict)
ASet = derive("ASet", set)
ADeque = derive("ADeque", collections.deque)
ATuple = derive("ATuple", tuple)
AnInt = derive("AnInt", int)
AStr = derive("AStr", str)
SomeBytes = derive("SomeBytes", bytes)
AnError = derive("AnError", Exception)


def populate():
    utc = datetime.timezone.utc
    return {
        "__main__.Plain": [Plain(i) for i in range(1009)],
        "__main__.Slots": [Slots() for _ in range(2003)],
        "__main__.AList": [AList(range(i)) for i in range(307)],
        "__main__.ADict": [ADict.fromkeys(range(i)) for i in range(337)],
        "__main__.ASet": [ASet(range(i)) for i in range(109)],
        "__main__.ADeque": [ADeque(range(3 * i)) for i in range(107)],
        "__main__.ATuple": [ATuple(range(i)) for i in range(137)],
        "__main__.AnInt": [AnInt(10 ** i) for i in range(313)],
        "__main__.AStr": [AStr("x" * i) for i in range(317)],
        "__main__.SomeBytes": [SomeBytes(i) for i in range(331)],
        "__main__.AnError": [AnError(i) for i in range(347)],
        # Not known to the collector.
        "complex": [complex(i, 1) for i in range(1021)],
        "bytearray": [bytearray(7 * i) for i in range(127)],
        "datetime.time": [datetime.time.min, datetime.time.max] +
                         [datetime.time(1, 2, i % 60) for i in range(101)] +
                         [datetime.time(1, 2, i % 60, tzinfo=utc) for i in range(103)],
        "array.array": [array.array("Q", range(i)) for i in range(131)],
    }


def type_name(t):
    return t.__qualname__ if t.__module__ == "builtins" else f"{t.__module__}.{t.__qualname__}"


def tracked():
    """Objects in the collector's lists, by type; every object of some types is there."""
    counts = {}
    for o in gc.get_objects():
        name = type_name(type(o))
        counts[name] = counts.get(name, 0) + 1
    for name in ("dict", "tuple", "PyCapsule"):
        # Those that hold nothing that could be part of a cycle are not there.
        counts.pop(name, None)
    return counts


def tell(truth):
    sys.stdout.write(json.dumps(truth) + "\n")
    sys.stdout.flush()


def quiet():
    keep = populate()
    known = {name: len(objects) for name, objects in keep.items()}
    sizes = {name: sum(map(sys.getsizeof, keep[name])) for name in
             ("__main__.AList", "__main__.ADict", "__main__.ASet", "__main__.ADeque", "bytearray")}
    large = {"str": ["y" * 1000 + str(i) for i in range(151)],
             "bytes": [bytes(1000 + i) for i in range(149)]}
    truth = {"known": known, "sizes": sizes, "tracked": {}, "large": {}}
    gc.collect()
    gc.collect()
    gc.disable()
    # Once for nothing: the first time makes objects that stay.
    json.dumps(truth)
    truth["tracked"] = tracked()
    tell(truth)
    sys._debugmallocstats()
    while True:
        pause()
    return keep, large


class Constant:
    __slots__ = ("number",)


class Ring:
    __slots__ = ("number",)


class Cyclic:
    pass


TURNS = 4


def churn(ring, settled):
    """Once the ring has been replaced a few times, its objects are where they will be for good."""
    for turn in itertools.count():
        if turn == TURNS:
            settled.set()
        for number in range(ring.maxlen):
            o = Ring()
            o.number = number
            ring.append(o)
            a, b = Cyclic(), Cyclic()
            a.other, b.other = b, a


def load():
    keep = [Constant() for _ in range(200000)]
    more = [Plain(i) for i in range(20011)]
    for settled in (threading.Event(), threading.Event()):
        ring = collections.deque((Ring() for _ in range(25000)), maxlen=25000)
        threading.Thread(target=churn, args=(ring, settled), daemon=True).start()
        settled.wait()
    tell({"constant": {"__main__.Constant": len(keep), "__main__.Plain": len(more)}, "ring": 50000})
    while True:
        pause()


async def finished(value):
    return value


async def waits(event):
    await event.wait()


def yields():
    yield 1
    yield 2


async def asynchronous():
    yield 1


def own_frame():
    return sys._getframe()


async def make_tasks():
    event = asyncio.Event()
    keep = [asyncio.ensure_future(finished(i)) for i in range(1009)]
    keep += [asyncio.ensure_future(waits(event)) for _ in range(503)]
    generators = [yields() for _ in range(307)]
    for g in generators[:101]:
        next(g)
    for g in generators[:53]:
        list(g)
    keep += generators
    keep += [asynchronous() for _ in range(79)]
    keep += [own_frame() for _ in range(37)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tell({"tasks_made": 1 + 1009 + 503, "kinds": [
        ["_asyncio.Task", "finished", True, 1009],
        ["_asyncio.Task", "waits", False, 503],
        ["coroutine", "finished", True, 1009],
        ["coroutine", "waits", False, 503],
        ["generator", "yields", True, 53],
        ["generator", "yields", False, 254],
        ["async_generator", "asynchronous", False, 79],
        ["frame", "own_frame", False, 37],
    ], "lines": {f.__name__: f.__code__.co_firstlineno for f in
                 (finished, waits, yields, asynchronous, own_frame)}})
    while True:
        pause()


def tasks():
    asyncio.new_event_loop().run_until_complete(make_tasks())


async def make_tasks_for_ever():
    """Each lives for a moment, beside numbers that are far larger than its own. A signal asks how many."""
    made = 1
    signal.signal(signal.SIGUSR1, lambda *_: print(made, flush=True))
    tell({})
    latest = collections.deque(maxlen=10007)
    large = collections.deque(maxlen=10007)
    while True:
        for _ in range(101):
            latest.append(asyncio.ensure_future(finished(made)))
            made += 1
            large.append((1 << 50) + made)
        await asyncio.sleep(0)


def task_load():
    asyncio.new_event_loop().run_until_complete(make_tasks_for_ever())


class Never:
    """Has no objects, only what looks like some."""


class NeverSlots:
    __slots__ = ("a", "b")


def imitations():
    """Counts and addresses of types, where a block has them if an object is in it."""
    keep = []
    for t in (Never, NeverSlots, dict, list, tuple, ADict, AList):
        words = [1, id(t)]
        for n in range(1, 33):
            keep.append(array.array("Q", words * n))
            keep.append(array.array("Q", words * n).tobytes())
            keep.append(array.array("Q", ([id(keep), id(words)] + words) * n))
            keep.append(array.array("Q", words * n + [0, 0] + words))
            keep.append([None, t] * n)
            keep.append([keep, keep, None, t] * n)
            keep.append({t: None, n: t})
    tell({"never": ["__main__.Never", "__main__.NeverSlots", "__main__.ADict", "__main__.AList"]})
    while True:
        pause()
    return keep


INNER = """
class Inner:
    def __init__(self, number):
        self.number = number
keep = [Inner(i) for i in range(1009)]
"""


def interpreters():
    """Three in one process, each with a class of its own."""
    try:
        import _interpreters as module
        run = module.exec
    except ImportError:
        import _xxsubinterpreters as module
        run = module.run_string
    # An interpreter ends with the last reference to its id.
    ids = [module.create(), module.create()]
    for i in ids:
        run(i, INNER)
    exec(INNER, globals())
    tell({"objects": 3 * 1009})
    while True:
        pause()
    return ids


def forks():
    """A child after the other, each of which changes its copy of the heap and ends."""
    keep = [Constant() for _ in range(200000)]
    tell({"constant": len(keep)})
    while True:
        child = os.fork()
        if not child:
            del keep[::2]
            os._exit(0)
        os.waitpid(child, 0)


def million():
    keep = []
    for i in range(250000):
        o = Slots()
        o.x, o.y = float(i), (i + 1000, o)
        keep.append(o)
    tell({"objects": 1000000})
    while True:
        pause()
    return keep


if __name__ == "__main__":
    {"quiet": quiet, "load": load, "tasks": tasks, "task-load": task_load, "million": million,
     "forks": forks, "imitations": imitations, "interpreters": interpreters}[sys.argv[1]]()
