#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The immediate caller is the true one, without frame pointers; and so are its callers."""

import os

import seep


def test_c():
    path = seep.workload_path("callers")
    result, report = seep.run_command([path])
    seep.equal(result.status, 0, f"callers: {result}")
    truth = seep.last_json(result.out)
    counts = dict.fromkeys(truth["functions"], 0)
    for site in report["sites"]:
        first = site["frames"][0]
        if first["function"] not in truth["functions"]:
            continue
        counts[first["function"]] += site["allocated_count"]
        seep.equal(first["line"], truth["lines"][first["function"]],
                   f"line of the call in {first['function']}")
        seep.equal(os.path.basename(first["file"]), "callers.c", "its file")
        seep.equal(first["approximate"], False, "known exactly")
        seep.equal([f["function"] for f in site["frames"][1:4]], truth["stack"], "its callers")
        seep.equal(site["stack_status"], "complete", "the stack was walked to its end")
        seep.equal(site["frames"][-1]["function"], "_start", "where it ends")
    seep.equal(counts, {k: v["allocated_count"] for k, v in truth["functions"].items()}, "counts")
    seep.equal(report["target"]["coverage"]["truncated_stacks"],
               dict.fromkeys(report["target"]["coverage"]["truncated_stacks"], 0),
               "no stack was cut")


def test_cxx():
    path = seep.workload_path("callers_cxx")
    result, report = seep.run_command([path])
    seep.equal(result.status, 0, f"callers_cxx: {result}")
    truth = seep.last_json(result.out)["functions"]
    found = {}
    for site in report["sites"]:
        # Behind operator new and what the library puts around it, inlined or not.
        names = [seep.bare_name(f["function"]) for f in site["frames"]]
        caller = next((n for n in names if n in truth), None)
        if not caller:
            continue
        assert names[0].startswith("operator new") or "::" in names[0], f"first frame of {names}"
        figures = found.setdefault(caller, dict.fromkeys(seep.FIGURES, 0))
        for key in seep.FIGURES:
            figures[key] += site[key]
        where = names.index(caller)
        physical = [f["function"] for f in site["frames"][where:] if f["kind"] == "native"]
        assert seep.bare_name(physical[0]) == caller and physical[1] == "main", \
            f"{caller} is not called by main: {names}"
    seep.equal(found, truth, "figures by caller")


def test_cxx_is_blamed_on_the_caller():
    """Summed up by function, neither operator new nor the containers are to blame."""
    path = seep.workload_path("callers_cxx")
    result, report = seep.run_command([path], "--by", "function")
    truth = seep.last_json(result.out)["functions"]
    seep.equal(seep.only(seep.by_function(report["sites"]), truth), truth, "figures by function")


def test_by_line():
    path = seep.workload_path("callers")
    result, report = seep.run_command([path], "--by", "line")
    truth = seep.last_json(result.out)
    lines = {(os.path.basename(s["frames"][0]["file"]), s["frames"][0]["line"]): s
             for s in report["sites"] if s["frames"] and s["frames"][0]["file"]}
    for name, line in truth["lines"].items():
        site = lines.get(("callers.c", line))
        assert site, f"no site at line {line}: {list(lines)}"
        seep.equal({k: site[k] for k in seep.FIGURES}, truth["functions"][name], name)


def test_by_file_and_module():
    path = seep.workload_path("callers")
    result, report = seep.run_command([path], "--by", "module")
    total = sum(f["allocated_count"] for f in seep.last_json(result.out)["functions"].values())
    modules = {s["frames"][0]["module"]: s["allocated_count"] for s in report["sites"]}
    seep.equal(modules.get(path), total, "blocks of the program's own module")
    _, report = seep.run_command([path], "--by", "file")
    files = {os.path.basename(s["frames"][0]["file"] or ""): s["allocated_count"]
             for s in report["sites"]}
    seep.equal(files.get("callers.c"), total, "blocks of its source file")


if __name__ == "__main__":
    seep.main(globals())
