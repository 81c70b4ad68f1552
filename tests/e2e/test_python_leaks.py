#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Leaks of Python programs are told with their type, line and holder; what is bounded is not.

A short form of make eval-python: a minute of a program's life takes 50 ms.
"""

import os
import sys

import seep

sys.path.insert(0, os.path.join(seep.ROOT, "tests", "eval"))
import python_runs  # noqa: E402 pylint: disable=wrong-import-position


def test_leaks_and_what_is_bounded():
    """All at the same time: each is idle for the most part."""
    python_runs.check(["extension", "large_bytes", "bounded_lru", "pool"], minutes=3600)


if __name__ == "__main__":
    seep.main(globals())
