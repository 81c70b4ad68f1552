# SPDX-License-Identifier: GPL-2.0-or-later
"""A cache without a bound, of a function whose arguments do not come again."""

import collections
import functools

import pace

EXPECT = {"type": r".*\bPage", "held_by": r"load", "container": "functools._lru_cache_wrapper"}


class Page:
    def __init__(self, number):
        self.number = number
        self.title = f"page {number}"


recent = collections.deque(maxlen=500)


@functools.lru_cache(maxsize=None)
def load(number):
    return Page(number)  # the leak


def request(number):
    load(number)
    recent.append(Page(number))  # the correct one


pace.serve(request)
