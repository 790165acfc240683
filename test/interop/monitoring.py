# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""DPDK's telemetry exporter and Prometheus, each as a child process in a namespace of ours.

tools/fetch gets the programs, once, into the directory that MLDV2_FETCHED names, else "fetched"
in the build directory of MLDV2_HOST.
"""

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import host

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SHARE = os.path.join(ROOT, "share")
ENDPOINTS = os.path.join(SHARE, "telemetry-endpoints")
RULES = os.path.join(SHARE, "prometheus", "mldv2.rules.yml")
SCRAPE_CONFIG = os.path.join(SHARE, "prometheus", "prometheus.yml")
EXPORTER, SERVER = "127.0.0.1:9876", "127.0.0.1:9090"
START_TIMEOUT = 20
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'(\w+)="([^"]*)"')


def fetched():
    """The directory with the programs; OSError with the reason when they cannot be had."""
    build = os.path.join(os.path.dirname(host.binary()), "..", "..")
    directory = os.environ.get("MLDV2_FETCHED") or os.path.join(build, "fetched")
    done = subprocess.run([os.path.join(ROOT, "tools", "fetch"), directory], timeout=180,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(done.stderr.strip())
    return directory


def parse(text):
    """An exposition as {(name, ((label, value), …)): number}; labels ascend."""
    samples = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, labels, value = SAMPLE.fullmatch(line).groups()
        key = name, tuple(sorted(LABEL.findall(labels or "")))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(value)
    return samples


class Program:
    """A child that ends with us, and a way to its HTTP server."""

    def __init__(self, namespace, address, log, *command):
        self.namespace, self.address = namespace, address
        self.log = open(log, "w+", encoding="utf-8")
        self.process = subprocess.Popen(
            namespace.command("setpriv", "--pdeathsig", "KILL", *command),
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def get(self, path, timeout=5):
        """The status and the body of a reply."""
        def ask():
            try:
                with urllib.request.urlopen(f"http://{self.address}{path}", timeout=timeout) as it:
                    return it.status, it.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        return self.namespace.call(ask)

    def wait_ready(self, path):
        deadline = time.time() + START_TIMEOUT
        while True:
            try:
                if self.get(path)[0] == 200:
                    return self
            except OSError:
                pass
            assert self.process.poll() is None and time.time() < deadline, self.words()
            time.sleep(0.1)

    def words(self):
        with open(self.log.name, encoding="utf-8") as log:
            return log.read()

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Exporter(Program):
    """dpdk-telemetry-exporter.py with our endpoint, on a host's telemetry socket."""

    def __init__(self, programs, namespace, telemetry_path, directory):
        super().__init__(namespace, EXPORTER, os.path.join(directory, "exporter.log"),
                         "/usr/bin/python3", "-B",
                         os.path.join(programs, "dpdk-telemetry-exporter.py"),
                         "--load-path", ENDPOINTS, "--socket-path", telemetry_path,
                         "--output", f"prometheus://{EXPORTER}")

    def scrape(self):
        status, text = self.get("/metrics")
        assert status == 200, self.words()
        return text


class Prometheus(Program):
    """The server with our configuration and rules, only quicker: once a second, and an alert
    fires when its condition has held for a second."""

    def __init__(self, programs, namespace, directory):
        for path in (RULES, SCRAPE_CONFIG):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            text = re.sub(r"for: \d+m", "for: 1s", text)
            text = re.sub(r"_interval: 15s", "_interval: 1s", text)
            with open(os.path.join(directory, os.path.basename(path)), "w",
                      encoding="utf-8") as file:
                file.write(text)
        super().__init__(namespace, SERVER, os.path.join(directory, "prometheus.log"),
                         "env", "GOMAXPROCS=1", os.path.join(programs, "prometheus"),
                         "--log.level=warn", f"--web.listen-address={SERVER}",
                         f"--storage.tsdb.path={os.path.join(directory, 'data')}",
                         f"--config.file={os.path.join(directory, 'prometheus.yml')}")

    def query(self, expression):
        """The vector that an expression gives, as {labels (sorted pairs): number}."""
        status, body = self.get("/api/v1/query?" + urllib.parse.urlencode({"query": expression}))
        answer = json.loads(body)
        assert status == 200 and answer["status"] == "success", f"{expression}: {answer}"
        return {tuple(sorted(row["metric"].items())): float(row["value"][1])
                for row in answer["data"]["result"]}

    def firing(self):
        """Names of alerts that fire."""
        status, body = self.get("/api/v1/alerts")
        assert status == 200, body
        return {alert["labels"]["alertname"] for alert in json.loads(body)["data"]["alerts"]
                if alert["state"] == "firing"}

    def wait_for(self, condition, what, seconds=15):
        deadline = time.time() + seconds
        while not condition():
            assert time.time() < deadline, f"{what}; firing: {self.firing()}; {self.words()}"
            time.sleep(0.2)
