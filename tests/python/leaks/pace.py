# SPDX-License-Identifier: GPL-2.0-or-later
"""A service's rhythm for the programs beside: PROGRAM [RATE], until standard input ends.

Each program says in EXPECT what is to be told of it: "type" and "held_by" are regular expressions (of
the whole type, of a part of the path), "container" a type; the line is one with the comment "# the leak".
"type" None: native memory, which has no type. "line" False: its constructor is not one that is seen.
"held_by" None: nothing holds it but itself. EXPECT None: nothing is to be told.
"""

import asyncio
import select
import sys
import time

STEP = 0.02  # seconds


def rate():
    return float(sys.argv[1]) if len(sys.argv) > 1 else 500.0


def requests_due(start, done):
    """Numbers of the requests that should have been served by now."""
    return range(done, int((time.monotonic() - start) * rate()))


def has_ended(timeout=0.0):
    return bool(select.select([sys.stdin], [], [], timeout)[0]) and not sys.stdin.read(1)


def serve(request):
    """Calls request(number) so many times a second."""
    start, done = time.monotonic(), 0
    print("ready", flush=True)
    while not has_ended(STEP):
        for number in requests_due(start, done):
            request(number)
            done = number + 1


async def serve_async(request):
    """The same within an event loop, where request() may start tasks."""
    start, done = time.monotonic(), 0
    print("ready", flush=True)
    while not has_ended():
        for number in requests_due(start, done):
            request(number)
            done = number + 1
        await asyncio.sleep(STEP)
