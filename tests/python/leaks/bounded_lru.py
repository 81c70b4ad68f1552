# SPDX-License-Identifier: GPL-2.0-or-later
"""A cache that is full all the time, and drops the oldest for each new one."""

import functools

import pace

EXPECT = None


class Page:
    def __init__(self, number):
        self.number = number
        self.title = f"page {number}"


@functools.lru_cache(maxsize=2000)
def load(number):
    return Page(number)


def request(number):
    load(number)


pace.serve(request)
