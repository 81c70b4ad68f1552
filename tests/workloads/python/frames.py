# SPDX-License-Identifier: GPL-2.0-or-later
"""Allocates in many ways, each block of a size of its own, and tells on which lines.

keep(bytearray(SIZE)) notes the stack of who called it, as Python itself sees it; the block was
allocated on the same line. The truth: [size, [[file, line, name], ...]], the innermost first.
"""

import asyncio
import ctypes
import json
import os
import sys
import threading

try:
    import greenlet
except ImportError:
    greenlet = None

kept = []
truth = []
shared = {}


def name_of(code):
    return getattr(code, "co_qualname", code.co_name)


def stack_of(frame):
    found = []
    while frame:
        found.append([frame.f_code.co_filename, frame.f_lineno, name_of(frame.f_code)])
        frame = frame.f_back
    return found


def keep(block):
    kept.append(block)
    truth.append([len(block), stack_of(sys._getframe(1))])


class Cache:
    def put(self, size):
        keep(bytearray(size))

    def nested(self, size):
        def closure():
            self.put(size)

        closure()
        return [self.put(size + 2 * i) for i in range(1, 3)]

    @classmethod
    def made(cls, size):
        cls().put(size)

    def __enter__(self):
        self.put(3203)
        return self

    def __exit__(self, *exception):
        self.put(3209)

    @property
    def size(self):
        self.put(3217)


def calls():
    Cache().nested(3001)
    Cache.made(3019)
    # C code between: map, sorted, a slot, a callback out of C.
    list(map(lambda size: keep(bytearray(size)), [3023, 3037]))
    sorted([3041, 3049], key=lambda size: keep(bytearray(size)) or size)
    with Cache() as cache:
        cache.size
    try:
        raise ValueError
    except ValueError:
        keep(bytearray(3061))
    finally:
        keep(bytearray(3067))


def generator(size):
    keep(bytearray(size))
    yield from inner_generator(size + 2)
    keep(bytearray(size + 6))


def inner_generator(size):
    keep(bytearray(size))
    yield 1


def generators():
    for _ in generator(4001):
        pass
    held = generator(4021)
    next(held)
    Cache().put(4049)
    sum(1 for _ in held)


async def waits(size):
    keep(bytearray(size))
    await asyncio.sleep(0)
    keep(bytearray(size + 2))


async def yields(size):
    keep(bytearray(size))
    yield 1
    await waits(size + 4)


async def tasks():
    await asyncio.gather(*[asyncio.ensure_future(waits(5001 + 10 * i)) for i in range(5)])
    async for _ in yields(5101):
        pass
    await asyncio.get_event_loop().run_in_executor(None, Cache().put, 5201)


def threads():
    running = [threading.Thread(target=Cache().nested, args=(6001 + 10 * i,)) for i in range(5)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()


def down(depth, size):
    if depth == 0:
        keep(bytearray(size))
    else:
        down(depth - 1, size)


SOURCE = """
def made_%d(keep, size):
    keep(bytearray(size))

made_%d(keep, %d)
"""


def made_code():
    """Code that is dropped at once: the next one lies at its addresses."""
    for i in range(200):
        size = 7001 + 2 * i
        exec(compile(SOURCE % (i, i, size), "<made %d>" % i, "exec"), {"keep": keep})


def same_code():
    """The same code, made anew each time."""
    for _ in range(200):
        exec(compile("kept.append(bytearray(7993))", "<again>", "exec"), {"kept": kept})


def grows():
    values = []
    for i in range(50000):
        values.append(i)
    kept.append(values)


def native(library):
    """C code that leaks, called from a line of Python."""
    library.leak.argtypes = [ctypes.c_size_t]
    for _ in range(23):
        library.leak(9001)


def interpreters():
    """Sub-interpreters, where this version has a way to make one."""
    try:
        import _interpreters as module
    except ImportError:
        try:
            import _xxsubinterpreters as module
        except ImportError:
            return
    code = "def inside():\n    global block\n    block = bytearray(%d)\n\ninside()\n"
    try:
        shared["interpreter"] = module.create()
        (getattr(module, "run_string", None) or module.exec)(shared["interpreter"], code % 9103)
    except Exception as error:
        print("no sub-interpreter:", error, file=sys.stderr)
        return
    script = "<script>" if sys.version_info >= (3, 14) else "<string>"
    truth.append([9103, [[script, 3, "inside"], [script, 5, "<module>"]]])


def greenlets():
    if not greenlet:
        return

    def one(size):
        keep(bytearray(size))
        other.switch()
        keep(bytearray(size + 2))

    def two(size):
        keep(bytearray(size))
        first.switch()
        keep(bytearray(size + 2))

    first, other = greenlet.greenlet(lambda: one(8501)), greenlet.greenlet(lambda: two(8601))
    first.switch()
    other.switch()


def main():
    library = next((a for a in sys.argv[1:] if a.endswith(".so")), None)
    library = ctypes.CDLL(library) if library else None
    print("ready", flush=True)
    os.read(0, 1)
    if "interpreters" in sys.argv:
        interpreters()
    else:
        calls()
        generators()
        asyncio.run(tasks())
        threads()
        down(20, 8001)
        down(200, 8101)
        made_code()
        same_code()
        grows()
        greenlets()
        native(library)
    print(json.dumps({"blocks": truth}), flush=True)
    os.read(0, 1)
    os._exit(0)


main()
