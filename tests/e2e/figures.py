# SPDX-License-Identifier: GPL-2.0-or-later
"""What views of sites and targets say, in a form to be compared."""

import re

from waiting import equal

FIGURES = ("allocated_count", "allocated_bytes", "freed_count", "freed_bytes")


def bare_name(function):
    """caller_new(unsigned long) -> caller_new"""
    return re.sub(r"\(.*", "", function or "")


def by_function(sites):
    """{function: figures} of sites that were summed up by function."""
    found = {}
    for site in sites:
        name = bare_name(site["frames"][0]["function"]) if site["frames"] else ""
        figures = found.setdefault(name, dict.fromkeys(FIGURES, 0))
        for key in FIGURES:
            figures[key] += site[key]
        equal(site["live_count"], site["allocated_count"] - site["freed_count"],
              f"live count of {name}")
        equal(site["live_bytes"], site["allocated_bytes"] - site["freed_bytes"],
              f"live bytes of {name}")
    return found


def only(found, names):
    return {name: found.get(name) for name in names}


def losses(target):
    """What was lost, without the zeros."""
    return {k: v for k, v in target["coverage"]["lost"].items() if v}


def check_nothing_lost(target):
    equal(losses(target), {}, f"losses of {target['comm']}")
