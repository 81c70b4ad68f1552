#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Keeps objects in every way that leaks do, and tells where: held.py quiet|load|replace SECONDS

Prints one line of JSON: by name, the samples as [address, address of the type], and the path (".*" stands for
anything), container and root that a search for their holders must tell. Lives until it is killed, with "load" making and dropping objects of
all kinds at full speed meanwhile. Runs with Python 3.8 and later.
"""

import asyncio
import collections
import contextvars
import functools
import gc
import json
import logging
import os
import signal
import sys
import threading
import time
import types

gc.collect()
gc.disable()
kinds = {}
PER_KIND = 200


class Thing:
    def __init__(self, number):
        self.number = number


def things(n=PER_KIND):
    return [Thing(i) for i in range(n)]


def expect(name, samples, path, container, root):
    step = max(1, len(samples) // 64)
    kinds[name] = {
        "samples": [[id(s), id(type(s))] for s in samples[::step]][:64],
        "path": path,
        "container": container,
        "root": root,
    }


def place(function):
    code = function.__code__
    return "%s:%d" % (os.path.basename(code.co_filename), code.co_firstlineno)


# a list, a deque, a set, a dict by request id, bytes in a list

kept_list = things()
expect("list", kept_list, "__main__.kept_list[…]", "list", "module")

queue = collections.deque(things())
for _ in range(70):
    queue.popleft()
expect("deque", list(queue), "__main__.queue[*]", "collections.deque", "module")

kept_set = set(things())
expect("set", list(kept_set), "__main__.kept_set{*}", "set", "module")

by_request = {}
for _i in range(PER_KIND):
    by_request[_i * 1000003] = Thing(_i)
expect("dict", list(by_request.values()), "__main__.by_request[…]", "dict", "module")

named = {"request-%d" % i: Thing(i) for i in range(PER_KIND)}
expect("dict by str", list(named.values()), "__main__.named[…]", "dict", "module")

seen = {Thing(i): None for i in range(PER_KIND)}
expect("dict keys", list(seen), "__main__.seen.keys()", "dict", "module")

chunks = [b"x" * 200 + b"%d" % i for i in range(PER_KIND)]
expect("bytes", chunks, "__main__.chunks[…]", "list", "module")


in_two = things()
also_by_number = {t.number: t for t in in_two}
expect("two holders", in_two, "__main__.also_by_number[…]", "dict", "module")
kinds["two holders"]["others"] = ["__main__.in_two[…]"]


# a class attribute, an instance's attribute, what is in what is in what

class Registry:
    items = []
    instances = {}

    def __init__(self):
        self.items = things(3)


Registry.items.extend(things())
expect("class attribute", Registry.items, "__main__.Registry.items[…]", "list", "class")

for _i in range(PER_KIND):
    Registry.instances[_i] = Registry()
expect("items of instances", [r.items[0] for r in Registry.instances.values()],
       "__main__.Registry.instances[…].items[0]", "dict", "class")


class Shelf:
    def __init__(self):
        self.labels = []
        self.things = []


shelf = Shelf()
shelf.things = things()
expect("list of an instance", shelf.things, "__main__.shelf.things[…]", "list", "module")


class Service:
    def __init__(self):
        self.rows = [(i, Thing(i)) for i in range(PER_KIND)]
        self.nested = types.SimpleNamespace(table={})


service = Service()
service.nested.table.update((str(i), Thing(i)) for i in range(PER_KIND))
expect("tuples in an attribute", [r[1] for r in service.rows], "__main__.service.rows[…](1)", "list",
       "module")
expect("namespace", list(service.nested.table.values()), "__main__.service.nested.table[…]", "dict",
       "module")


class Slotted:
    __slots__ = ("held", "__weakref__")


slotted = []
for _i in range(PER_KIND):
    slotted.append(Slotted())
    slotted[-1].held = Thing(_i)
expect("slots", [s.held for s in slotted], "__main__.slotted[…].held", "list", "module")


class Group(list):
    """A list with attributes of its own."""


group = Group(things())
expect("derived list", list(group), "__main__.group[…]", "__main__.Group", "module")


# functions: closures, defaults, caches

def make_adder():
    kept = []

    def add(thing):
        kept.append(thing)

    return add


add = make_adder()
closed_over = things()
for _thing in closed_over:
    add(_thing)
expect("closure", closed_over, "__main__.add.__closure__(0).cell_contents[…]", "list", "module")
del closed_over, _thing


def callback_of(thing):
    def callback():
        return thing

    return callback


callbacks = [callback_of(t) for t in things()]
expect("callbacks", [c.__closure__[0].cell_contents for c in callbacks],
       "__main__.callbacks[…].__closure__(0).cell_contents", "list", "module")


def collect(thing, into=[]):  # noqa: B006
    into.append(thing)
    return into


for _i in range(PER_KIND):
    collect(Thing(_i))
expect("default", collect.__defaults__[0], "__main__.collect.__defaults__(0)[…]", "list", "module")


@functools.lru_cache(maxsize=None)
def cached(number):
    return Thing(number)


expect("lru_cache", [cached(i) for i in range(PER_KIND)], "__main__.cached.<cache>[…]",
       "functools._lru_cache_wrapper", "module")


class Watcher:
    def on_event(self):
        pass


listeners = [Watcher().on_event for _ in range(PER_KIND)]
expect("bound methods", [m.__self__ for m in listeners], "__main__.listeners[…].__self__", "list",
       "module")

partials = [functools.partial(print, Thing(i)) for i in range(PER_KIND)]
expect("partials", [p.args[0] for p in partials], "__main__.partials[…].args(0)", "list", "module")


# a library's list

class Handler(logging.Handler):
    pass


for _i in range(PER_KIND):
    logging.getLogger("service").addHandler(Handler())
expect("logging handlers", logging.getLogger("service").handlers,
       "logging.Logger.manager.loggerDict['service'].handlers[…]", "list", "class")


# generators, coroutines, tasks

def numbers(thing):
    yield thing
    yield thing


generators = [numbers(Thing(i)) for i in range(PER_KIND)]
_in_generators = [next(g) for g in generators]
expect("generators", generators, "__main__.generators[…]", "list", "module")
expect("locals of generators", _in_generators,
       "__main__.generators[…].<local thing of numbers (%s)>" % place(numbers),
       "list", "module")
del _in_generators


class Hub:
    def __init__(self):
        self.background = set()


hub = Hub()


async def store(number):
    await asyncio.sleep(0)
    return number


async def wait_for(event):
    await event.wait()


async def serve(ready):
    held_by_main = things()
    expect("local of a coroutine", held_by_main,
           "<local held_by_main of serve (%s)>[…]" % place(serve), "list",
           "frame")
    for i in range(PER_KIND):
        hub.background.add(asyncio.ensure_future(store(i)))
    event = asyncio.Event()
    waiting = [asyncio.ensure_future(wait_for(event)) for i in range(PER_KIND)]
    await asyncio.sleep(0.1)
    expect("tasks", list(hub.background), "__main__.hub.background{*}", "set", "module")
    expect("coroutines of tasks", [t.get_coro() for t in hub.background],
           "__main__.hub.background{*}.coro", "set", "module")
    expect("waiting tasks", waiting,
           "<local waiting of serve (%s)>[…]" % place(serve), "list", "frame")
    set_timers(asyncio.get_running_loop())
    ready.set()
    await event.wait()


# exceptions, whose tracebacks hold frames

def handle(thing):
    data = [thing]
    raise ValueError(len(data))


def remember(thing):
    try:
        handle(thing)
    except ValueError as error:
        errors.append(error)


errors = []
for _i in range(PER_KIND):
    remember(Thing(_i))
expect("exceptions", errors, "__main__.errors[…]", "list", "module")
expect("locals of frames of exceptions",
       [e.__traceback__.tb_next.tb_frame.f_locals["data"] for e in errors],
       "__main__.errors[…].__traceback__.<local data of handle (%s)>" % place(handle), "list", "module")


# timers, contexts

def set_timers(loop):
    timed = things()
    for i, thing in enumerate(timed):
        loop.call_later(3600 + i, print, thing)
    expect("timers", timed, "<event loop>._scheduled[…]._args(0)", "list", "frame")


variable = contextvars.ContextVar("variable")
contexts = []


def set_variable(thing):
    variable.set(thing)
    return thing


_in_contexts = []
for _i in range(PER_KIND):
    contexts.append(contextvars.copy_context())
    _in_contexts.append(contexts[-1].run(set_variable, Thing(_i)))
expect("contexts", _in_contexts, "__main__.contexts[…].<.*of hamt_bitmap_node>", "list", "module")
del _in_contexts


# each other, a linked list, a frame, C code

class Node:
    pass


def pairs():
    nodes = []
    for _ in range(PER_KIND):
        node, node.peer = Node(), Node()
        node.peer.peer = node
        nodes.append(node)
    expect("cycles", nodes, "<__main__.Node>.peer…", "__main__.Node", "cycle")


def chain(length):
    node = None
    for _ in range(length):
        node, node_before = Node(), node
        node.next = node_before
    return node


head = chain(12)
_chained = []
_node = head
while _node:
    _chained.append(_node)
    _node = _node.next
expect("chain", _chained[3:], "__main__.head.next…", "__main__.Node", "module")
del _chained, _node


# Nobody walks up all of it.
top = chain(5000)
_chained = []
_node = top
while _node:
    _chained.append(_node)
    _node = _node.next
expect("long chain", _chained[1000:], "<__main__.Node>.next…", "__main__.Node", "unknown")
del _chained, _node


def hold_in_thread(started):
    held_by_thread = things()
    expect("local of a thread", held_by_thread,
           "<local held_by_thread of hold_in_thread (%s)>[…]"
           % place(hold_in_thread), "list", "frame")
    started.set()
    threading.Event().wait()


def churn():
    ring = collections.deque(maxlen=20000)
    for i in range(1 << 62):
        thing = Thing(i)
        thing.others = {i: [thing], str(i): (thing, {thing})}
        thing.callback = lambda: thing  # noqa: B023
        ring.append(thing)
        if i % 1000 == 0:
            for old in ring:
                old.__dict__.clear()
            ring.clear()


def replace(pause):
    """What is copied to be changed, as logging does with handlers, beside instances that come and go."""
    shelves = collections.deque(maxlen=53)
    while True:
        shelves.append(Shelf())
        shelf.things = shelf.things.copy()
        time.sleep(pause)


def main():
    pairs()
    started, ready = threading.Event(), threading.Event()
    threading.Thread(target=hold_in_thread, args=(started,), daemon=True).start()
    started.wait()
    threading.Thread(target=lambda: asyncio.run(serve(ready)), daemon=True).start()
    ready.wait()
    if sys.argv[1] == "replace":
        threading.Thread(target=replace, args=(float(sys.argv[2]),), daemon=True).start()
    if sys.argv[1] == "load":
        for _ in range(2):
            threading.Thread(target=churn, daemon=True).start()
    print(json.dumps(kinds), flush=True)
    while True:
        signal.pause()


main()
