#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Are the type, the line and the holder of Python leaks right, and do caches, warm-ups and pools stay
quiet?

Each program has a seepd of its own, whose minutes take --minute milliseconds. A run that leaks is right
if the first alert names the type, the line that is marked in the program, and what holds it; one that
does not, if nothing is told until its time is over. SEEP_PYTHON names another interpreter than
/usr/bin/python3, SEEP_PYTHON_ROOT the folder of another system that has it (make test-python makes some).
"""

import argparse
import os
import sys

import python_runs


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those whose names have this word")
    parser.add_argument("--minute", type=int, default=50, help="milliseconds (default: 50)")
    parser.add_argument("--minutes", type=int, default=4320, help="of a run (default: 4320, three days)")
    parser.add_argument("--rate", type=float, default=500, help="requests a second (default: 500)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at a time")
    options = parser.parse_args()
    if not 20 <= options.minute <= 60000 or options.minutes < 1 or options.jobs < 1:
        parser.error("a minute is 20 to 60000 ms; there is at least one of them, and one job")
    return options


def main():
    options = parse_arguments()
    if os.geteuid() != 0:
        sys.exit("eval-python: needs root")
    counts = {True: 0, False: 0, None: 0}
    chosen = [n for n in python_runs.names() if options.only in n]
    for run in python_runs.attempt_all(chosen, options.jobs, options.minute, options.minutes,
                                       rate=options.rate):
        counts[run.right] += 1
        print(run.line(), flush=True)
    print(f"{counts[True]} right, {counts[False]} wrong, {counts[None]} left out")
    return 0 if counts[True] and not counts[False] else 1


if __name__ == "__main__":
    sys.exit(main())
