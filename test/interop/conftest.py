# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""Fixtures of the interop suite.

A module may set CONFIG (text of the configuration file) and PORTS for the host that its tests
share through the fixture `bench`. MLDV2_NO_SKIP=1 makes a skipped test a failed one.
"""

import os
import pathlib
import signal
import sys
import tempfile
import time

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, HERE)

import bench as bench_module  # noqa: E402
import host as host_module  # noqa: E402
import hugepages as hugepages_module  # noqa: E402
import installed as installed_module  # noqa: E402
import netns  # noqa: E402
import tshark  # noqa: E402
import v1_mode  # noqa: E402
import watched as watched_module  # noqa: E402


def pytest_configure():
    def interrupted(_number, _frame):
        raise KeyboardInterrupt  # so that fixtures clean up

    signal.signal(signal.SIGTERM, interrupted)
    signal.signal(signal.SIGHUP, interrupted)


def pytest_unconfigure():
    host_module.kill_all()
    netns.delete_all()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.skipped and os.environ.get("MLDV2_NO_SKIP") == "1":
        report.outcome = "failed"
        report.longrepr = f"skipped, which MLDV2_NO_SKIP forbids: {report.longrepr}"


@pytest.fixture(scope="session", autouse=True)
def able():
    """Skip everything, with the reason, where the suite cannot run."""
    reason = netns.missing()
    if not reason and not os.access(host_module.binary(), os.X_OK):
        reason = "MLDV2_HOST does not name the mldv2-host binary"
    if reason:
        pytest.skip(reason)


@pytest.fixture(scope="module")
def module_namespace(able):
    with netns.Namespace() as namespace:
        yield namespace


@pytest.fixture
def namespace(able):
    with netns.Namespace() as fresh:
        yield fresh


@pytest.fixture(scope="module")
def huge_dir(able):
    """A hugetlbfs with pages for one host and its secondary processes."""
    try:
        with hugepages_module.Hugepages(hugepages_module.PAGES) as pages:
            yield pages.directory
    except hugepages_module.Unavailable as error:
        pytest.skip(str(error))


class SharedBench:
    """The bench of a module: started when first asked for, and again when it has died."""

    def __init__(self, namespace, module, directory):
        self.namespace, self.module, self.directory = namespace, module, directory
        self.bench = None

    def get(self):
        if self.bench and not self.bench.host.answers():
            self.bench.kill()
            self.bench = None
        if not self.bench:
            self.bench = bench_module.Bench(
                self.namespace, config=getattr(self.module, "CONFIG", bench_module.CONFIG),
                ports=getattr(self.module, "PORTS", 1))
        return self.bench

    def close(self):
        if not self.bench:
            return
        self.bench.close()
        self.bench.check_frames()
        for i, link in enumerate(self.bench.links):
            tshark.judge(link, self.directory, f"{self.module.__name__}-{i}")


@pytest.fixture(scope="module")
def shared_bench(request, module_namespace, tmp_path_factory):
    shared = SharedBench(module_namespace, request.module,
                         str(tmp_path_factory.mktemp("pcap")))
    yield shared
    shared.close()


@pytest.fixture
def bench(shared_bench):
    """The module's bench; sockets are closed and all frames judged after each test."""
    current = shared_bench.get()
    yield current
    if current.host.answers():
        current.close_sockets()
    current.check()


@pytest.fixture
def new_bench(namespace, tmp_path):
    """A function that starts a bench for this test alone, with its own configuration."""
    started = []

    def start(**options):
        started.append(bench_module.Bench(namespace, **options))
        return started[-1]

    yield start
    for current in started:
        if current.host.process.poll() is None:
            current.close()
        else:
            current.kill()
        current.check_frames()
        for i, link in enumerate(current.links):
            tshark.judge(link, str(tmp_path), f"own-{i}")


@pytest.fixture
def v1(bench):
    """A function to enter v1 mode; it is over again when the test has ended."""
    yield lambda **kwargs: v1_mode.enter_v1(bench, **kwargs)
    v1_mode.wait_for_mode(bench, "mldv2", 6)
    bench.query(mrc=1)
    time.sleep(0.02)


@pytest.fixture
def start_host(namespace):
    """A function that starts a bare host; the test stops it, else it is killed."""
    started = []

    def start(*args, **options):
        started.append(host_module.Host(namespace, *args, **options).start())
        return started[-1]

    yield start
    for current in started:
        current.kill()


@pytest.fixture
def watched(namespace):
    """A function that starts a host which is heard from its first frame on."""
    started = []

    def start(**options):
        started.append(watched_module.Watched(namespace, **options))
        return started[-1]

    yield start
    for current in started:
        current.close()


@pytest.fixture
def short_dir():
    """Its path fits into a sink or a Unix socket, wherever the build directory is."""
    with tempfile.TemporaryDirectory(prefix="mldv2-") as path:
        yield pathlib.Path(path)


@pytest.fixture(scope="session")
def installation(able, tmp_path_factory):
    """What `make install` puts into a directory of its own."""
    build = os.environ.get("MLDV2_BUILD", "")
    if not os.path.exists(os.path.join(build, "build.ninja")):
        pytest.skip("MLDV2_BUILD does not name the build directory")
    return installed_module.Installed(build, tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def example(installation, tmp_path_factory):
    """A function that builds an example from outside, once with each compiler."""
    built = {}

    def build(name, compiler="gcc"):
        if (name, compiler) not in built:
            directory = tmp_path_factory.mktemp(f"{name}-{compiler}")
            built[name, compiler] = installation.example(name, directory, f"CC={compiler}")
        return built[name, compiler]

    return build
