#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Configuration: the check, what a reload changes, and what it leaves alone."""

import os
import subprocess
import tempfile

import seep

SHOP = "[Target]\nSelector=pid={pid}\n{more}"


def check(files, *options):
    """seepd --check on a folder with these files."""
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
        result = subprocess.run([seep.SEEPD, "--config", folder, "--check", *options],
                                capture_output=True, text=True, timeout=seep.DEADLINE, check=False)
        return seep.Result(result.returncode, result.stdout.replace(folder, "."),
                           result.stderr.replace(folder, "."))


def selectors(daemon):
    return {s["selector"]: s["is_configured"] for s in daemon.get("/v1/targets")["selectors"]}


def test_check():
    result = check({"seep.conf": "[Daemon]\nTick=3s\n",
                    "seep.conf.d/10-a.conf": "[Budget]\nTarget=1\n",
                    "targets.d/shop.conf": "[Target]\nSelector=shop.service\n"})
    seep.equal((result.status, result.err), (0, ""), f"a configuration without mistakes: {result}")
    seep.equal(result.out.splitlines(),
               ["./seep.conf", "./seep.conf.d/10-a.conf", "./targets.d/shop.conf",
                "no mistakes in 3 files, 1 targets"], "what it read")


def test_check_tells_all_mistakes():
    result = check({"seep.conf": "[Daemon]\nTik=3s\nMaxFrames=0\n[Budgett]\n",
                    "targets.d/shop.conf": "[Target]\nMode=fast\n"})
    seep.equal((result.status, result.out), (1, ""), f"mistakes: {result}")
    seep.equal([line.split(": ")[0] for line in result.err.splitlines()],
               ["./seep.conf:2", "./seep.conf:3", "./seep.conf:4", "./targets.d/shop.conf:2",
                "./targets.d/shop.conf:1"], "all mistakes")
    assert "did you mean Tick=?" in result.err, result


def test_check_needs_no_root():
    result = subprocess.run(
        ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
         seep.SEEPD, "--config", "/dev/null", "--check"],
        capture_output=True, text=True, timeout=seep.DEADLINE, check=False, cwd="/")
    if result.returncode == 127 or "Permission denied" in result.stderr:
        raise seep.Skip(f"{seep.SEEPD} cannot be executed by another user")
    seep.equal(result.returncode, 0, f"as nobody: {result.stderr}")


def test_start_refuses_mistakes():
    with tempfile.TemporaryDirectory(prefix="seep-e2e-") as folder:
        with open(os.path.join(folder, "seep.conf"), "w", encoding="utf-8") as f:
            f.write("[Daemon]\nTik=3s\n")
        result = subprocess.run(
            [seep.SEEPD, "--config", folder, "--socket", os.path.join(folder, "s")],
            capture_output=True, text=True, timeout=seep.DEADLINE, check=False)
        seep.equal(result.returncode, 78, f"exit status; it says {result.stderr}")
        assert "seep.conf:2: [Daemon] has no Tik=" in result.stderr, result.stderr
        assert not os.path.exists(os.path.join(folder, "s")), "it has not started"


def test_files_are_in_force():
    files = {"seep.conf": "[Daemon]\nMaxFrames=17\nTick=30s\n[Budget]\nTarget=3\n",
             "seep.conf.d/10-a.conf": "[Budget]\nTotal=7\n"}
    with seep.Daemon(config=files, check=False) as daemon:
        info = daemon.get("/v1/info")
        seep.equal(info["limits"]["frames"], 17, "of the main file")
        seep.equal(info["budget"]["target_ratio"], 0.03, "of the main file")
        seep.equal(info["budget"]["total_ratio"], 0.07, "of the drop-in")
        seep.equal(info["tick_seconds"], 1.0, "the command line wins")
        seep.equal(info["config"]["state"], "loaded", "the configuration")
        seep.equal([os.path.basename(f) for f in info["config"]["files"]],
                   ["seep.conf", "10-a.conf"], "its files")
        seep.equal(daemon.stop(), 0, "exit status")


def test_reload_changes_what_it_can():
    with seep.Daemon() as daemon, seep.Workload("twins", 31, 7) as shop, \
            seep.Workload("twins", 37, 11) as other:
        by_hand = daemon.track(other.pid)
        daemon.write_config("targets.d/shop.conf",
                            SHOP.format(pid=shop.pid, more="Budget=3\nLimit=3G\n"))
        daemon.write_config("seep.conf", "[Budget]\nTarget=9\n[Daemon]\nMaxFrames=9\n")
        config = daemon.reload()
        seep.equal((config["state"], config["errors"]), ("loaded", []), "the reload")
        seep.equal(config["takes_restart"], ["[Daemon] MaxFrames="], "what takes a restart")
        assert "restart of seepd: [Daemon] MaxFrames=\n" in daemon.seepctl("status").out, "status"
        seep.equal(daemon.get("/v1/info")["budget"]["target_ratio"], 0.09, "the budget")
        seep.equal(selectors(daemon), {f"pid={shop.pid}": True, str(other.pid): False},
                   "what is tracked")
        key = daemon.find(shop.pid)["id"]
        daemon.wait_traced(key)
        seep.wait_equal(lambda: daemon.target(key)["overhead"]["budget_ratio"], 0.03,
                        "the target's own budget")
        seep.wait_equal(lambda: daemon.target(key)["limit_bytes"], 3 << 30, "its limit")
        # Exact counts survive another budget: nothing is traced anew.
        truth = shop.go()["functions"]
        daemon.write_config("targets.d/shop.conf",
                            SHOP.format(pid=shop.pid, more="Budget=4\nLimit=2G\n"))
        daemon.reload()
        seep.wait_equal(lambda: daemon.target(key)["overhead"]["budget_ratio"], 0.04,
                        "its new budget")
        seep.wait_equal(lambda: seep.only(seep.by_function(daemon.sites(key)), truth), truth,
                        "its figures")
        # Another mode.
        daemon.write_config("targets.d/shop.conf",
                            SHOP.format(pid=shop.pid, more="Mode=sampled\nSamplingInterval=4K\n"))
        daemon.reload()
        seep.wait_equal(lambda: (daemon.target(key)["mode"],
                                 daemon.target(key)["sampling_interval_bytes"]),
                        ("sampled", 4096), "its mode")
        # It goes with its file; what is tracked by hand stays.
        daemon.write_config("targets.d/shop.conf", None)
        daemon.reload()
        seep.equal(selectors(daemon), {str(other.pid): False}, "what is tracked without the file")
        seep.equal(daemon.target(by_hand)["state"], "traced", "the one by hand")
        seep.check_no_breakpoints(shop.pid)
        other.go()
        shop.end()
        other.end()


def test_bad_reload_changes_nothing():
    with seep.Daemon(config={"seep.conf": "[Budget]\nTarget=3\n"}) as daemon, \
            seep.Workload("twins", 31, 7) as shop:
        daemon.write_config("targets.d/shop.conf", SHOP.format(pid=shop.pid, more=""))
        loaded_at = daemon.reload()["loaded_at"]
        daemon.write_config("seep.conf", "[Budget]\nTarget=9\nTotall=1\n")
        daemon.write_config("targets.d/shop.conf", None)
        config = daemon.reload()
        seep.equal((config["state"], config["loaded_at"]), ("kept", loaded_at), "the reload")
        seep.equal(config["errors"],
                   [f"{daemon.config}/seep.conf:3: [Budget] has no Totall=; did you mean Total=?"],
                   "what is wrong")
        assert "did you mean Total=?" in daemon.log_whole(), daemon.log()
        seep.equal(daemon.get("/v1/info")["budget"]["target_ratio"], 0.03, "the budget")
        seep.equal(selectors(daemon), {f"pid={shop.pid}": True}, "what is tracked")
        assert "\nseep_config_last_reload_successful 0\n" in daemon.seepctl("metrics").out, \
            "the metric"
        assert "not taken: " in daemon.seepctl("status").out, "the client says so"
        daemon.write_config("seep.conf", "[Budget]\nTarget=9\n")
        config = daemon.reload()
        seep.equal((config["state"], config["errors"]), ("loaded", []), "once it is right")
        seep.equal(daemon.get("/v1/info")["budget"]["target_ratio"], 0.09, "the new budget")
        seep.equal(selectors(daemon), {}, "what is tracked now")
        shop.go()
        shop.end()


def test_thresholds_of_a_target():
    """A leak of blocks that are never enough, until the file says otherwise."""
    rule = "[Target]\nSelector=pid={pid}\nMode=exact\nLimit=48M\n{more}"
    with seep.Daemon("--detector-tick", "50ms") as daemon, \
            seep.Workload("service", wait=False) as service:
        daemon.write_config("targets.d/a.conf",
                            rule.format(pid=service.pid, more="LeastBlocks=1000000\n"))
        daemon.reload()
        key = daemon.find(service.pid)["id"]
        daemon.wait_traced(key)
        # As long as the leak of test_leaks.py takes to be told.
        seep.wait_until(lambda: daemon.target(key)["coverage"]["allocations_seen"] > 20 * 50 * 25,
                        "25 seconds of requests", deadline=240)
        seep.equal([l["frames"][0]["function"] for l in daemon.leaks() if l["told"]], [], "alerts")
        daemon.write_config("targets.d/a.conf", rule.format(pid=service.pid, more=""))
        daemon.reload()
        seep.equal([l["frames"][0]["function"] for l in daemon.wait_told(key)], ["make_record"],
                   "what is told then")


def test_by_hand_wins():
    """A selector that is tracked by hand is not the file's, then or when it goes."""
    with seep.Daemon() as daemon, seep.Workload("twins", 31, 7) as shop:
        selector = f"pid={shop.pid}"
        daemon.track(selector)
        daemon.write_config("targets.d/shop.conf", SHOP.format(pid=shop.pid, more="Budget=3\n"))
        daemon.reload()
        seep.equal(selectors(daemon), {selector: False}, "tracked by hand")
        daemon.write_config("targets.d/shop.conf", None)
        daemon.reload()
        seep.equal(selectors(daemon), {selector: False}, "still tracked by hand")
        shop.go()
        shop.end()


def test_many_reloads():
    """Memory and descriptors are looked at by the context."""
    with seep.Daemon() as daemon:
        for i in range(100):
            daemon.write_config("seep.conf", f"[Budget]\nTarget={1 + i % 7}\n"
                                f"[Alerts]\nCommand=/bin/true {i}\n" + ("Bad\n" if i % 3 else ""))
            daemon.write_config("targets.d/a.conf", f"[Target]\nSelector=comm=none-{i}\n")
            daemon.reload()
        daemon.write_config("seep.conf", "")
        seep.equal(daemon.reload()["state"], "loaded", "the last one")


if __name__ == "__main__":
    seep.main(globals())
