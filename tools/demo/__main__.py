# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""The demonstration behind `make run`: join, report, filter, on a real querier's link.

    python3 tools/demo PATH_OF_MLDV2_HOST

RUN_SECONDS says how long (default 20, 0: until Ctrl-C). The exit status is 0 when
the querier and the host agree, exactly the wanted packets passed, and mldv2-host
left cleanly. Nothing is left behind, whatever happens: no namespace, no link, no
process, no file. Where no link can be made, the filter alone is shown on files.
"""

import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../test/lib"))

import link
import pcapfile
import plan
import screen
from host import LEAVE_SECONDS, PREFIX, Host, HostError
from link import TAP, LinkError, LinkImpossible
from screen import say

DIRECTORY = "mldv2-run-"  # then the process id, then what tempfile adds
MAC = "02:00:00:00:00:01"
MIN_TRAFFIC_SECONDS = 4
LEARN_SECONDS = 10
DRAIN_SECONDS = 3
PCAP_PACKETS_PER_FLOW = 1000


class Failure(Exception):
    """The demonstration did not come as far as a result; says why."""


class Signals:
    """Ctrl-C ends the traffic early when there is some to end, and everything otherwise."""

    def __init__(self):
        self.orderly = False  # may Ctrl-C be an orderly end?
        self.stop = False
        signal.signal(signal.SIGINT, self._interrupt)
        signal.signal(signal.SIGTERM, self._terminate)
        signal.signal(signal.SIGHUP, self._terminate)

    def _interrupt(self, number, _frame):
        if not self.orderly or self.stop:
            sys.exit(128 + number)
        self.stop = True

    def _terminate(self, number, _frame):
        sys.exit(128 + number)

    def ignore(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)


class Senders:
    """tools/demo/sender.py in the senders' namespace."""

    def __init__(self, namespace):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sender.py")
        flows = [f"{flow.group},{flow.source}" for flow in plan.FLOWS]
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", namespace,
             "/usr/bin/python3", "-B", program, "eth0", str(plan.PACKETS_PER_SECOND),
             str(plan.UDP_PORT), *flows],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)

    def send(self, wanted):
        """Send the flows for which wanted(flow) holds; how many each has sent so far."""
        active = [i for i, flow in enumerate(plan.FLOWS) if wanted(flow)]
        try:
            self.process.stdin.write(json.dumps(active) + "\n")
            self.process.stdin.flush()
            return json.loads(self.process.stdout.readline())
        except (BrokenPipeError, json.JSONDecodeError) as error:
            raise Failure("the senders have ended by themselves") from error

    def kill(self):
        self.process.kill()
        self.process.wait()


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def handled(snapshot):
    """How many packets of multicast data the filter has decided on."""
    data = snapshot.data
    return data["passed"] + data["drop_source"] + data["drop_no_group"]


def states(snapshot):
    return {group: view.state for group, view in snapshot.groups.items()}


class Demo:
    """A run on a real link. `seconds` is for all of it; None: until Ctrl-C."""

    def __init__(self, the_link, host, signals, seconds):
        self.link, self.host, self.signals = the_link, host, signals
        self.begin = time.monotonic()
        self.end = self.begin + (seconds or float("inf"))
        self.table = screen.LiveTable()
        self.senders = None

    def run(self):
        self.bring_up()
        self.senders = Senders(self.link.senders)
        try:
            return self.traffic()
        finally:
            self.senders.kill()

    def bring_up(self):
        say(f"mldv2-host on {TAP}, under a bridge that is the MLDv2 querier")
        self.host.start(f"net_tap0,iface={TAP},mac={MAC}", self.link.link)
        try:
            self.link.attach_tap(self.host.alive)
        except LinkError as error:
            raise Failure(f"no {TAP} from mldv2-host: {error}\n{self.host.last_words()}") from error
        self.host.connect()
        self.wait_for_querier()
        say("the querier has learned every group and source; ask the host yourself:\n"
            f"  RUNTIME_DIRECTORY={self.host.directory} dpdk-telemetry.py -f {PREFIX}\n")

    def wait_for_querier(self):
        """All that the plan joins is there, and the querier has the same."""
        joined = {m.group for m in plan.MEMBERSHIPS}

        def learned():
            believed = states(self.host.snapshot())
            return (self.link.forwards() and joined <= believed.keys()
                    and self.link.learned() == believed)

        if not wait_until(learned, LEARN_SECONDS):
            screen.beliefs(self.link.learned(), states(self.host.snapshot()))
            raise Failure(f"the querier did not learn the groups in {LEARN_SECONDS} s\n"
                          + self.host.last_words())

    def traffic(self):
        now = time.monotonic()
        end = max(self.end, now + MIN_TRAFFIC_SECONDS)
        change = now + min(end - now, 20) / 2
        self.signals.orderly = True
        self.senders.send(lambda flow: True)
        self.watch(change)
        before = self.senders.send(lambda flow: False) if self.signals.stop else self.change()
        self.watch(end)
        after = self.senders.send(lambda flow: False)
        self.drain(after)
        return self.result(plan.expected(before, [a - b for a, b in zip(after, before)]))

    def watch(self, until):
        """Show the table at every full second."""
        while not self.signals.stop and time.monotonic() < until:
            seconds = int(time.monotonic() - self.begin)
            self.table.show(seconds, self.host.snapshot())
            following = min(until, self.begin + seconds + 1)
            while not self.signals.stop and time.monotonic() < following:
                time.sleep(0.02)

    def change(self):
        """Change two filters while the traffic runs; what each flow had sent before.

        The flows whose fate changes pause; the others go on and must lose nothing.
        """
        self.drain(self.senders.send(lambda flow: False))
        before = self.senders.send(lambda flow: not flow.changes)
        for command, *args in plan.CHANGES:
            self.host.cmd(command, *args)
            say(f"  CHANGE  {','.join(map(str, (command, *args)))}")
        begin = time.monotonic()
        believed = states(self.host.snapshot())
        if wait_until(lambda: self.link.learned() == believed, LEARN_SECONDS):
            say(f"  the querier had learned it {time.monotonic() - begin:.1f} s later\n")
        else:
            say(f"  the querier has not learned it in {LEARN_SECONDS} s\n")
        self.table.keep()
        self.senders.send(lambda flow: True)
        return before

    def drain(self, sent):
        """Wait until the filter has seen all that was sent."""
        wait_until(lambda: handled(self.host.snapshot()) >= sum(sent), DRAIN_SECONDS)

    def result(self, expected):
        self.table.show(int(time.monotonic() - self.begin), self.host.snapshot())
        wait_until(lambda: self.link.learned() == states(self.host.snapshot()), DRAIN_SECONDS)
        final = self.host.snapshot()
        exact = screen.counts(expected, final)
        say()
        agree = screen.beliefs(self.link.learned(), states(final))
        return exact and agree


def run_on_files(host, directory):
    """The filter half of the job: the same flows from a capture file, no querier."""
    frames = [pcapfile.frame(flow.group, flow.source, plan.UDP_PORT) for flow in plan.FLOWS]
    received = os.path.join(directory, "rx.pcap")
    pcapfile.write(received, (f for _ in range(PCAP_PACKETS_PER_FLOW) for f in frames))
    sent = os.path.join(directory, "tx.pcap")
    host.start(f"net_pcap0,rx_pcap={received},tx_pcap={sent}")
    host.connect()
    total = PCAP_PACKETS_PER_FLOW * len(plan.FLOWS)
    wait_until(lambda: handled(host.snapshot()) >= total, DRAIN_SECONDS)
    final = host.snapshot()
    screen.LiveTable().show(0, final)
    each = [PCAP_PACKETS_PER_FLOW] * len(plan.FLOWS)
    exact = screen.counts(plan.expected(each, [0] * len(each)), final)
    say("NO QUERIER was there to agree: only the filter was shown, on packet files")
    return exact


def left_cleanly(host):
    status, seconds = host.leave()
    if status == 0 and seconds <= LEAVE_SECONDS:
        say(f"mldv2-host took its memberships back and left in {seconds:.1f} s")
        return True
    say(f"NOT CLEAN: mldv2-host left with status {status} after {seconds:.1f} s, not 0 within "
        f"{LEAVE_SECONDS:.0f} s\n{host.last_words()}")
    return False


def build_or_say_why(the_link):
    try:
        the_link.build(plan.SOURCES)
        return True
    except LinkImpossible as error:
        the_link.remove()
        say(f"no link with a querier can be made here: {error}\n"
            "showing the filter alone, on packet files (net_pcap)\n")
        return False


def demonstrate(binary, directory, the_link, signals, seconds):
    host = Host(binary, directory, plan.memberships_file())
    try:
        if build_or_say_why(the_link):
            good = Demo(the_link, host, signals, seconds).run()
        else:
            good = run_on_files(host, directory)
        return left_cleanly(host) and good
    finally:
        signals.ignore()
        host.kill()


def run_seconds():
    text = os.environ.get("RUN_SECONDS", "20")
    if not text.isdecimal():
        sys.exit(f"RUN_SECONDS={text}: not a number of seconds")
    return int(text) or None


def remove_left_behind():
    """A demonstration that was killed by SIGKILL could not tidy up: do it now."""
    if os.geteuid() == 0:
        link.remove_left_behind()
    for path in glob.glob(os.path.join(tempfile.gettempdir(), DIRECTORY + "*")):
        if not os.path.exists("/proc/" + path.rsplit("-", 2)[1]):
            shutil.rmtree(path, ignore_errors=True)


def main(binary):
    seconds = run_seconds()
    signals = Signals()
    the_link = link.Link()
    remove_left_behind()
    with tempfile.TemporaryDirectory(prefix=f"{DIRECTORY}{os.getpid()}-") as directory:
        try:
            return 0 if demonstrate(binary, directory, the_link, signals, seconds) else 1
        except (Failure, HostError, LinkError) as error:
            say(f"FAILED: {error}")
            return 1
        except BrokenPipeError:
            # Nobody reads any more; do not complain to nobody at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        finally:
            signals.ignore()
            the_link.remove()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
