#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The pages of docs/man/: that they are well formed, and tell of everything there is."""

import os
import re
import shutil
import subprocess

import seep

FOLDER = os.path.join(seep.ROOT, "docs", "man")
SITES = ("run", "trace", "sites", "diff")
COMMON = re.compile(r"\nCommon options:\n.*?(?=\n\n|\Z)", re.S)


def read(*path):
    with open(os.path.join(seep.ROOT, *path), encoding="utf-8") as f:
        return f.read()


def options_of(text):
    """Long options that lead a line of a help text."""
    return set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", text, re.M))


def has_option(page, option):
    return re.search(rf"Fl (?:. , )?-{re.escape(option)}(?![a-z-])", page)


def verbs():
    return re.findall(r"^  ([a-z]+) +[a-z]", seep.seepctl("--help").out, re.M)


def items(page):
    """What the page says of each verb: from its item to the next one's, or to the next heading."""
    parts = re.split(r"^\.It Cm ([a-z]+)(?=[ \n])|^\.S[sh] .*$", page, flags=re.M)
    return {name: text for name, text in zip(parts[1::2], parts[2::2]) if name}


def test_pages_are_well_formed():
    if not shutil.which("mandoc"):
        raise seep.Skip("there is no mandoc")
    for name in sorted(os.listdir(FOLDER)):
        result = subprocess.run(["mandoc", "-Tlint", "-Wwarning", os.path.join(FOLDER, name)],
                                capture_output=True, text=True, check=False, timeout=60)
        seep.equal((result.returncode, result.stdout), (0, ""), f"mandoc of {name}")


def test_options_of_the_daemon():
    page = read("docs", "man", "seepd.8")
    told = subprocess.run([seep.SEEPD, "--help"], capture_output=True, text=True, check=True,
                          timeout=60)
    options = options_of(told.stdout)
    assert len(options) > 20, options
    seep.equal([o for o in sorted(options) if not has_option(page, o)], [], "not in seepd.8")
    stale = set(re.findall(r"^\.It.* -([a-z-]+)", page, re.M)) - options
    seep.equal(stale, set(), "in seepd.8 only")


def test_verbs_and_their_options():
    page = read("docs", "man", "seepctl.1")
    common = COMMON.search(seep.seepctl("--help").out)[0]
    missing = [o for o in options_of(common) if not has_option(page, o)]
    seep.equal(missing, [], "common options that are not in seepctl.1")
    told, grouping = items(page), page[page.index(".Ss Choosing sites"):page.index(".Ss Selectors")]
    seep.equal([v for v in verbs() if v not in told], [], "verbs that are not in seepctl.1")
    for verb in verbs():
        options = options_of(COMMON.sub("", seep.seepctl(verb, "--help").out))
        text = told[verb] + (grouping if verb in SITES else "")
        # Run and trace have an item in common, behind that of trace.
        text += told["trace"] if verb == "run" else ""
        missing = [o for o in sorted(options) if not has_option(text, o)]
        # Named in the item's first line.
        head = re.search(rf"^\.It Cm {verb}(?=[ \n]).*", page, re.M)[0]
        missing = [o for o in missing if not has_option(head, o)]
        seep.equal(missing, [], f"options of {verb} that are not in seepctl.1")


def test_exit_codes():
    page = read("docs", "man", "seepctl.1")
    line = re.search(r"^Exit codes: (.*)", seep.seepctl("--help").out, re.M)[1]
    codes = re.findall(r"(\d+) [a-z]", line)
    assert len(codes) >= 6, line
    missing = [c for c in codes if not re.search(rf"^\.It {c}$", page, re.M)]
    seep.equal(missing, [], "exit codes that are not in seepctl.1")


def keys_of(path):
    """From the table of settings: (section, key)."""
    return re.findall(r'\{ (?:"([A-Z]\w*)"|TARGET_SECTION), "([A-Z]\w*)",', read(path))


def section_of(page, heading):
    return re.search(rf"^\.Ss {heading}\n(.*?)(?=^\.S[sh])", page, re.M | re.S)[1]


def test_keys_of_the_configuration():
    page = read("docs", "man", "seep.conf.5")
    keys = keys_of("src/daemon/options.c") + keys_of("src/daemon/target_rules.c")
    assert len(keys) > 30, keys
    stale = set(re.findall(r"^\.It.*Va (\w+) Ns =", page, re.M)) - {k for _, k in keys} - {"Selector"}
    seep.equal(stale, set(), "in seep.conf.5 only")
    for section, key in [*keys, ("", "Selector")]:
        text = section_of(page, f"Section {section}" if section else "Targets")
        assert re.search(rf"^\.It.*Va {key} Ns =", text, re.M), f"{key}= of [{section or 'Target'}]"


if __name__ == "__main__":
    seep.main(globals())
