# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks that stay in a set when they are done, beside some that do not."""

import asyncio
import collections

import pace

EXPECT = {"type": r"_asyncio\.Task", "held_by": r"background", "container": "set"}

background = set()
finished = collections.deque(maxlen=500)


async def work(number):
    await asyncio.sleep(0)
    return {"number": number}


def run(number):
    task = asyncio.create_task(work(number))  # the correct one
    background.add(task)
    task.add_done_callback(finish)


def finish(task):
    background.discard(task)
    finished.append(task)


def audit(number):
    task = asyncio.create_task(work(number))  # the leak
    background.add(task)


def request(number):
    run(number)
    audit(number)


asyncio.run(pace.serve_async(request))
