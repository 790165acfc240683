# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The systemd service: what it tells its manager, and whether its unit is good."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest

import ptrace
from bench import config
from host import Host, binary
from service_manager import Manager, Unit

GROUP = "ff1e::99"
FILE = f"s 0 {GROUP} exclude\n"
SHARE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "share")
EXPOSURE = 25  # tenths; the best of what needs devices and the host's network


@pytest.fixture
def managed(namespace, tmp_path):
    """A function that starts a host under a manager; returns both."""
    started = []

    def start(watchdog_us=None, name=None, wait=True, **options):
        manager = Manager(namespace, name or str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": manager.name}
        if watchdog_us:
            environment["WATCHDOG_USEC"] = str(watchdog_us)
        host = Host(namespace, environment={**environment, **options.pop("environment", {})},
                    **{"config": config(), **options})
        started.append((host, manager))
        if wait:
            host.start()
        else:
            host.spawn()
        return host, manager

    yield start
    for host, manager in started:
        host.kill()
        manager.close()


def test_ready_when_reports_leave_from_their_address(managed):
    """Not before duplicate address detection is over."""
    host, manager = managed(wait=False, config="", memberships=FILE)
    assert manager.wait("READY", 20), host.read_log()
    assert host._connected()
    info = host.cmd("/mldv2/port/info", 0)
    assert (info["link"], info["address_state"]) == ("up", "valid")
    status = manager.wait_value("STATUS", "1 of 1 ports ready", 4)
    assert "1 of 1 ports ready, 1 without a querier; 2 groups" in status[-1]
    host.stop()
    assert manager.values("READY") == ["1"] and manager.values("STOPPING") == ["1"]
    assert not manager.values("WATCHDOG"), "nobody asked for it"
    assert {pid for _, pid, _ in manager.told} == {host.process.pid}


def test_ready_though_a_link_is_down(managed, namespace):
    """A cable that is not plugged in holds up no boot for long."""
    host, manager = managed(wait=False, config="")
    while "is under MLD" not in host.read_log():
        assert host.process.poll() is None
        time.sleep(0.01)
    down = time.monotonic()
    namespace.ip("link", "set", "tap0", "down")
    assert manager.wait("READY", 15), host.read_log()
    assert 3.5 < manager.times("READY")[0] - down
    assert "0 of 1 ports ready" in manager.wait_value("STATUS", "0 of 1 ports ready", 3)[-1]
    host.stop()


def test_abstract_socket(managed):
    host, manager = managed(name=f"@mldv2-{os.getpid()}")
    assert manager.wait("READY", 5)
    host.stop()
    assert manager.values("STOPPING") == ["1"]


@pytest.mark.parametrize("name", ["relative", "/" + "x" * 200, "/nonexistent/socket"])
def test_socket_that_is_none(start_host, name):
    """It runs; and says so where the name can be no socket."""
    host = start_host(environment={"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"})
    assert ("NOTIFY_SOCKET" in host.read_log()) == (name != "/nonexistent/socket")
    host.stop()


def test_reload(managed):
    host, manager = managed(memberships=FILE)
    assert manager.wait("READY", 5)
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    host.send_signal(signal.SIGHUP)
    assert manager.wait("READY", 5, 2)
    after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert manager.values("RELOADING") == ["1"]
    assert before <= int(manager.values("MONOTONIC_USEC")[0]) <= after
    assert manager.times("RELOADING")[0] <= manager.times("READY")[1]
    host.write("memberships.conf", "nonsense\n")
    host.send_signal(signal.SIGHUP)
    assert manager.wait("READY", 5, 3)
    assert "memberships.conf:1" in manager.wait_value("STATUS", "reload failed", 1)[-1]
    host.write("memberships.conf", FILE)
    host.send_signal(signal.SIGHUP)
    assert manager.wait("READY", 5, 4)
    manager.wait_value("STATUS", "nothing has this", 4)  # it is told every two seconds
    assert "ports ready" in manager.values("STATUS")[-1], "it is over"
    host.stop()


def test_stop_is_announced_at_once(managed):
    host, manager = managed(memberships=FILE, config=config(robustness=7))  # a long farewell
    assert manager.wait("READY", 5)
    start = time.monotonic()
    host.stop()
    end = time.monotonic()
    assert manager.times("STOPPING")[0] - start < 0.3 < end - start
    assert not [t for t in manager.times("READY") if t > start]


def test_watchdog_is_fed_by_the_control_core(managed):
    """In time while it runs, also when it leaves; not when it is stuck, though all else runs."""
    host, manager = managed(watchdog_us=600000, memberships=FILE, config=config(robustness=7))
    start = time.monotonic()
    time.sleep(2)
    fed = manager.times("WATCHDOG", start)
    assert 8 <= len(fed) <= 12, fed
    assert max(b - a for a, b in zip(fed, fed[1:])) < 0.5
    with ptrace.held(host.process.pid):
        time.sleep(0.1)
        stuck = time.monotonic()
        time.sleep(1.3)
        assert host.cmd("/mldv2/port/list") == [0], "the other threads run"
        assert not manager.times("WATCHDOG", stuck)
    again = time.monotonic()
    assert manager.wait("WATCHDOG", 1, len(manager.times("WATCHDOG")) + 2)
    assert manager.times("WATCHDOG", again)
    host.stop()
    assert manager.times("WATCHDOG", manager.times("STOPPING")[0])


def test_watchdog_of_another_process(managed):
    host, manager = managed(watchdog_us=300000, environment={"WATCHDOG_PID": "1"})
    time.sleep(0.7)
    host.stop()
    assert not manager.values("WATCHDOG")


@pytest.fixture(scope="module")
def unit():
    path = os.environ.get("MLDV2_UNIT", "")
    if not os.path.exists(path):
        pytest.skip("MLDV2_UNIT does not name the unit")
    return Unit(path)


def analyze(*args):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    return subprocess.run(["systemd-analyze", *args], capture_output=True, text=True, timeout=60,
                          check=False)


@pytest.fixture
def unit_path(unit, tmp_path):
    """The unit, for the binary under test and the examples."""
    for name in ("eal", "memberships", "mldv2-host.conf"):
        shutil.copy(os.path.join(SHARE, "examples", name), tmp_path)
    path = tmp_path / "mldv2-host.service"
    path.write_text(unit.with_paths(binary(), str(tmp_path)))
    return path


def test_unit_verifies(unit_path):
    done = analyze("verify", "--man=no", str(unit_path))
    assert done.returncode == 0 and done.stdout + done.stderr == "", done.stdout + done.stderr


def test_unit_is_hardened(unit_path):
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager",
                   str(unit_path))
    assert done.returncode == 0, done.stdout
    assert "Overall exposure level" in done.stdout


def test_reload_command_checks_the_files(unit_path, tmp_path):
    check, hup = Unit(unit_path).values("ExecReload")
    assert hup == "kill -HUP $MAINPID"
    assert subprocess.run(shlex.split(check), capture_output=True, check=False).returncode == 0
    (tmp_path / "memberships").write_text("nonsense\n")
    assert subprocess.run(shlex.split(check), capture_output=True, check=False).returncode == 1


def test_capabilities_of_the_unit_suffice(unit, namespace, monkeypatch):
    """A tap and a packet socket, with these and no others."""
    bounding = unit.values("CapabilityBoundingSet")[0].lower().split()
    namespace.ip("link", "add", "host0", "type", "veth", "peer", "name", "far0")
    namespace.ip("link", "set", "host0", "up")
    monkeypatch.setenv("MLDV2_WRAPPER", "setpriv --no-new-privs --bounding-set -all,"
                       + ",".join("+" + name.removeprefix("cap_") for name in bounding))
    host = Host(namespace, vdevs=["net_af_packet0,iface=host0"], config=config(),
                memberships=FILE).start()
    with open(f"/proc/{host.process.pid}/status", encoding="ascii") as status:
        effective = int(re.search(r"CapEff:\s*(\w+)", status.read()).group(1), 16)
    assert bin(effective).count("1") == len(bounding)
    assert host.cmd("/mldv2/port/list") == [0, 1]
    host.stop()


def example(name):
    with open(os.path.join(SHARE, "examples", name), encoding="ascii") as file:
        return file.read()


@pytest.mark.parametrize("every_key", [False, True])
def test_example_runs(namespace, every_key):
    """As it is, and with each key that it shows."""
    text = example("mldv2-host.conf")
    if every_key:
        text = re.sub(r"^# (\w+ = )", r"\1", text, flags=re.M) + "[port 1]\nenabled = no\n"
    host = Host(namespace, ports=2, config=text, memberships=example("memberships")).spawn()
    deadline = time.monotonic() + 30
    while not host._connected() or not host.cmd("/msf/socket/list"):
        assert host.process.poll() is None and time.monotonic() < deadline, host.read_log()
        time.sleep(0.05)
    assert set(host.telemetry.pages("sockets", "/msf/socket/list")) == {"player", "radio", "news"}
    assert host.cmd("/msf/get", "radio", 0, "ff1e::101")["sources"] == ["2001:db8::3"]
    info = host.cmd("/mldv2/port/info", 0)
    assert (info["link_local"] == "fe80::77") == every_key
    assert host.cmd("/mldv2/port/list") == ([0] if every_key else [0, 1])
    host.stop()
