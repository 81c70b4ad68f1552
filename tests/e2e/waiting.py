# SPDX-License-Identifier: GPL-2.0-or-later
"""Conditions with deadlines, and comparisons."""

import select
import time

# What holds, holds at once on an idle machine; this is for one that others keep busy.
DEADLINE = 60.0


class Skip(Exception):
    """The test cannot run here; says why."""


def wait_until(condition, what, deadline=DEADLINE):
    """Waits until condition() is true, and returns what it returned. The last look begins after the
    deadline: this process may have stood still until then."""
    end = time.monotonic() + deadline
    while True:
        is_last = time.monotonic() > end
        result = condition()
        if result:
            return result
        if is_last:
            raise AssertionError(f"not within {deadline} s: {what}")
        select.select([], [], [], 0.02)


def wait_equal(get, expected, what, deadline=DEADLINE):
    """Waits until get() returns what is expected; says what it returned last if it never does."""
    end = time.monotonic() + deadline
    while True:
        is_last = time.monotonic() > end
        got = get()
        if got == expected:
            return
        if is_last:
            raise AssertionError(f"{what}:\n   got      {got}\n   expected {expected}")
        select.select([], [], [], 0.02)


def equal(got, expected, what):
    if got != expected:
        raise AssertionError(f"{what}:\n   got      {got!r}\n   expected {expected!r}")
