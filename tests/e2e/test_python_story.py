#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The story: a service holds WebSockets of 50 devices, and of three tasks for each reading one is never
discarded. Under 500 readings a second its type, its line and the set that holds it are told.
"""

import os
import sys

import seep

sys.path.insert(0, os.path.join(seep.ROOT, "tests", "eval"))
import python_runs  # noqa: E402 pylint: disable=wrong-import-position


def test_story():
    python_runs.check([python_runs.STORY], minutes=3600)


if __name__ == "__main__":
    seep.main(globals())
