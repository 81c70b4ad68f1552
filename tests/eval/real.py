#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Is the verdict right about real programs?

Scenarios are leakgen's: a service of a family of make eval with real blocks, two lives of it in 14
days. Services are servers of Debian's under a load for a week: clean, and with a leak planted in a
known function. Each run has a memory cgroup and a seepd of its own, and days that take a minute or
two: --minute says how many milliseconds a minute takes, for the world and for the detector.

A scenario that leaks is right if the function that leaks is the first that is told, while it leaks
and before the limit, and nothing else is told; one that does not, if nothing is told. A clean
service is right if nothing is told, one with a leak if the function is on the first stack that is
told. An exhaustion alert claims no leak and is counted apart.
"""

import argparse
import concurrent.futures
import json
import os
import sys
import tempfile
import time
import traceback

import scenarios
import services
from watching import DAY, Cell, Result, Watch, seep, why_no_cell

RIGHT_SHARE = 22 / 24  # of the scenarios, at least
SITE_SHARE = 0.95      # of the services with a leak


def dropped_bytes(folder):
    """What ld-unfree.so has kept from being freed so far, in all processes."""
    total = 0
    for name in os.listdir(folder):
        if name.startswith("dropped."):
            with open(os.path.join(folder, name), encoding="ascii") as f:
                text = f.read()
            total += json.loads(text)["dropped_bytes"] if text.endswith("}\n") else 0
    return total


def service_environment(kind, planted, folder, seed):
    clean = seep.environment()
    if not planted:
        return clean
    return {**clean, "LD_PRELOAD": services.UNFREE,
            "UNFREE_FUNCTION": planted.setting(), "UNFREE_SHARE": str(kind.share),
            "UNFREE_SEED": str(seed), "UNFREE_REPORT": os.path.join(folder, "dropped")}


def do_minutes(service, minute_ms, total, each_hour):
    """The load of so many minutes, each at its time; False if the service has ended before."""
    start = time.monotonic()
    for minute in range(total):
        ahead = start + minute * minute_ms / 1000 - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        try:
            service.work(minute, service.requests_at(minute))
        except (OSError, AssertionError):
            return False
        if (minute + 1) % 60 == 0:
            each_hour((minute + 1) // 60)
    return True


class Folder(tempfile.TemporaryDirectory):
    """That a service may use which has given up its rights."""

    def __init__(self):
        super().__init__(prefix="seep-eval-")
        os.chmod(self.name, 0o777)


def run_service(kind, leaks, seed, minute_ms, minutes, mode, restarts=False):
    planted = kind.planted() if leaks else None
    result = Result(kind.name, f"leak in {planted.name}" if leaks else "clean", leaks)
    with Folder() as folder, Cell(kind.limit_mib << 20) as cell, \
            Watch(minute_ms, restarts=restarts) as watch:
        environment = service_environment(kind, planted, folder, seed)
        service = kind(folder, environment, cell.enter)
        with service.running():
            watch.track(cell.selector if kind.renews else service.pid(), mode, kind.renews)
            leaked = []  # (minute, bytes)

            def each_hour(hour):
                leaked.append((watch.minute(), dropped_bytes(folder)))
                if restarts and hour == minutes // 120:
                    watch.restart()
            whole = do_minutes(service, minute_ms, minutes, each_hour)
            watch.settle()
            alerts = watch.told()
    judge_service(result, planted, alerts, leaked)
    if leaks:
        result.words += f"{leaked[-1][1] / 1e6 if leaked else 0:.1f} MB were not freed"
    if not whole:
        result.words += ", it ended before its time"
    return result


def judge_service(result, planted, alerts, leaked):
    result.exhaustion_alerts = sum(a.is_exhaustion for a in alerts)
    alerts = [a for a in alerts if not a.is_exhaustion]
    right = [a for a in alerts if planted and a.passes(planted)]
    result.false_alerts = len(alerts) - len(right)
    if planted:
        result.leaking_lives, result.found_lives = 1, int(bool(right))
        result.right = bool(alerts) and alerts[0] in right
        result.site_right = result.right if alerts else None
        if right:
            result.delay_minutes = right[0].minute - next(
                (minute for minute, size in leaked if size > 0), right[0].minute)
    else:
        result.right = not alerts
    if result.false_alerts:
        result.words += "named " + ", ".join(a.line() for a in alerts if a not in right) + "; "


def measure_service(kind, leaks, seed, minute_ms, minutes):
    """Without seepd: what the service takes and what leaks, day by day, to choose its limit by."""
    planted = kind.planted() if leaks else None
    print(f"{kind.name}, {'leak in ' + planted.name if leaks else 'clean'}:", flush=True)
    with Folder() as folder, Cell(1 << 30) as cell:
        service = kind(folder, service_environment(kind, planted, folder, seed), cell.enter)

        def each_hour(hour):
            if hour % 24 == 0:
                print(f"  day {hour // 24}: {cell.used_bytes() / 1e6:7.1f} MB in use, "
                      f"{dropped_bytes(folder) / 1e6:6.1f} MB not freed", flush=True)
        with service.running():
            if not do_minutes(service, minute_ms, minutes, each_hour):
                raise AssertionError(f"{kind.name} ended before its time: {service.log()}")


def attempt(function, name, what, expected, *arguments, **options):
    """For a process of the pool: an error is a wrong answer, and says what happened."""
    try:
        return function(*arguments, **options)
    except (AssertionError, OSError, ValueError, KeyError) as error:
        result = Result(name, what, expected)
        result.words = f"failed: {error}; {traceback.format_exc().splitlines()[-3].strip()}"
        return result


def skip(name, why):
    result = Result(name, "", False)
    result.skipped = why
    return result


def planned(options):
    """(function, name, what, leaks, arguments) of each run; and what is skipped."""
    runs, skipped = [], []
    if "scenarios" in options.what:
        chosen = scenarios.SHORT if options.short else scenarios.LEAKS + scenarios.LOOK_ALIKES
        for family in options.families or chosen:
            if options.only in family:
                runs.append((scenarios.run, family, "", family.startswith("L"),
                             (family, options.seed, options.minute),
                             {"days": options.days or (6 if options.short else 14),
                              "mode": options.mode or "exact", "restarts": options.restart}))
    for kind in services.ALL if "services" in options.what else ():
        why = kind.why_not()
        if options.only not in kind.name or (options.short and kind is not services.Redis):
            continue
        if why:
            skipped.append(skip(kind.name, why))
            continue
        for leaks in (False, True):
            runs.append((run_service, kind.name, "leak" if leaks else "clean", leaks,
                         (kind, leaks, options.seed, options.minute),
                         {"minutes": DAY * (options.days or 7),
                          "mode": options.mode or "governed", "restarts": options.restart}))
    return runs, skipped


def run_all(runs, jobs):
    """Results as they come, each in a process of its own; what fails is a result."""
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(attempt, function, name, what, leaks, *arguments, **more)
                   for function, name, what, leaks, arguments, more in runs]
        for future in concurrent.futures.as_completed(futures):
            result = future.result()
            print(result.line(), flush=True)
            yield result


def median(values):
    values = sorted(v for v in values if v is not None)
    return values[len(values) // 2] if values else None


def summary(title, results, share):
    """Prints how many are right; returns whether that is enough."""
    results = [r for r in results if not r.skipped]
    if not results:
        return True
    right = sum(r.right for r in results)
    leaking = [r for r in results if r.expected]
    delay = median(r.delay_minutes for r in leaking)
    sites = [r.site_right for r in leaking if r.site_right is not None]
    text = (f"{title}: {right} of {len(results)} right, the first named site right in "
            f"{sum(sites)} of {len(sites)}, {sum(r.false_alerts for r in results)} false alerts, "
            f"{sum(r.exhaustion_alerts for r in results)} of exhaustion")
    if delay is not None:
        text += f", told after {delay / DAY:.1f} days in the median"
    print(text, flush=True)
    return right >= share * len(results)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", default=["scenarios", "services"],
                        help="scenarios, services (default: both)")
    parser.add_argument("--short", action="store_true", help="a few of them, for some days")
    parser.add_argument("--only", default="", help="those whose names have this word")
    parser.add_argument("--families", type=lambda s: s.split(","), default=[],
                        help="of tests/eval, instead of the usual ones: L03,BL1,FZ+")
    parser.add_argument("--minute", type=int, default=50, help="milliseconds (default: 50)")
    parser.add_argument("--days", type=int, help="of a run (default: 14, services 7)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="at a time")
    parser.add_argument("--mode", choices=("governed", "exact", "sampled"),
                        help="of tracing (default: exact, of services governed)")
    parser.add_argument("--restart", action="store_true",
                        help="seepd is killed, or asked to end, in the middle of each life, and "
                        "goes on with what it has left")
    parser.add_argument("--output", help="write the results there, as JSON lines")
    parser.add_argument("--measure", action="store_true",
                        help="services without seepd: what they take and leak in a day")
    options = parser.parse_args()
    for word in options.what:
        if word not in ("scenarios", "services"):
            parser.error(f"what is {word}?")
    if not 20 <= options.minute <= 60000 or options.jobs < 1 or (options.days or 1) < 1:
        parser.error("a minute is 20 to 60000 ms; there is at least one job and one day")
    return options


def main():
    options = parse_arguments()
    why = "needs root" if os.geteuid() != 0 else why_no_cell()
    if why:
        sys.exit(f"eval-real: {why}")
    if options.measure:
        for kind in services.ALL:
            if options.only in kind.name and not kind.why_not():
                for leaks in (False, True):
                    measure_service(kind, leaks, options.seed, options.minute,
                                    DAY * (options.days or 2))
        return 0
    runs, skipped = planned(options)
    for result in skipped:
        print(result.line(), flush=True)
    results = list(run_all(runs, options.jobs))
    if options.output:
        with open(options.output, "w", encoding="utf-8") as f:
            for result in results + skipped:
                f.write(json.dumps(vars(result)) + "\n")
    names = {kind.name for kind in services.ALL}
    good = summary("scenarios", [r for r in results if r.name not in names], RIGHT_SHARE)
    good &= summary("clean services", [r for r in results if r.name in names and not r.expected], 1)
    good &= summary("services with a leak", [r for r in results if r.name in names and r.expected],
                    SITE_SHARE)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
