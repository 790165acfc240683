#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What a running mldv2-host does, in a terminal: ports, queriers, groups, rates, strangers.

Three layers: Client speaks to DPDK's telemetry socket, sample() asks what is to be shown, and
views turn samples into lines. Only run_live() knows about a terminal.
"""

import argparse
import curses
import glob
import json
import os
import re
import signal
import socket
import sys
import time

EXIT_GONE = 3  # the daemon ended while it was watched
SORTABLE = 256  # groups; with more of them only what is visible is asked for
GROUP_LINES = 10  # of --once; 0: all
STRANGERS = 5


class Gone(Exception):
    """Nobody answers (any more)."""


def clean(text):
    """Whatever a peer chose, it is printable ASCII here."""
    return re.sub(r"[^ -~]", "?", str(text))


class Client:
    """The telemetry socket of one process."""

    def __init__(self, path, timeout=5.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            hello = json.loads(self.sock.recv(4096))
            self.max_len, self.pid = int(hello["max_output_len"]), hello.get("pid", "?")
        except (OSError, ValueError, KeyError, TypeError) as error:
            self.sock.close()
            raise Gone(str(error)) from error

    def ask(self, command, *args):
        """The answer; None for a refusal or a command that is not there."""
        try:
            self.sock.send(",".join([command, *map(str, args)]).encode())
            reply = self.sock.recv(self.max_len)
            if not reply:
                raise Gone("it has ended")
            answer = next(iter(json.loads(reply).values()))
        except (OSError, ValueError, StopIteration) as error:
            raise Gone(str(error)) from error
        refused = isinstance(answer, dict) and answer.get("result", 0) < 0
        return None if refused else answer

    def pages(self, command, *args):
        """The answers of a list that comes in pages."""
        offset = 0
        while True:
            page = self.ask(command, *args, offset)
            if not isinstance(page, dict):
                return
            yield page
            if not page.get("truncated") or page.get("next", 0) <= offset:
                return
            offset = page["next"]


def runtime_dirs():
    """Where DPDK may have put its sockets, likeliest first."""
    candidates = [os.environ.get("RUNTIME_DIRECTORY"), "/var/run" if os.getuid() == 0 else None,
                  os.environ.get("XDG_RUNTIME_DIR"), "/run", "/tmp"]
    return [os.path.join(d, "dpdk") for d in dict.fromkeys(candidates) if d]


def connect(prefix):
    """The daemon of that prefix, or the only one there is."""
    pattern = glob.escape(prefix) if prefix else "*"
    found = {}
    for directory in runtime_dirs():
        for path in sorted(glob.glob(os.path.join(directory, pattern, "dpdk_telemetry.v2"))):
            name = os.path.basename(os.path.dirname(path))
            if name in found:
                continue
            try:
                client = Client(path)
                if client.ask("/mldv2/port/list") is not None:
                    found[name] = client
            except Gone:
                pass
    if len(found) == 1:
        return next(iter(found.items()))
    if found:
        raise Gone("several are running, choose one with -f: " + ", ".join(found))
    what = f"with the file-prefix {prefix}" if prefix else "here"
    raise Gone(f"no mldv2-host answers {what}: is it running, and may you open its socket?")


class Rates:
    """Differences of counters over the time between two samples."""

    def __init__(self, clock=time.monotonic):
        self.clock, self.seen = clock, {}

    def of(self, key, value):
        """A second; None while there is nothing to compare with. Counters may begin anew."""
        now = self.clock()
        before, then = self.seen.get(key, (None, now))
        self.seen[key] = value, now
        if before is None or now <= then:
            return None
        return max(0.0, (value - before) / (now - then))


def sample_port(client, port, rates):
    info = client.ask("/mldv2/port/info", port)
    if info is None:
        return None
    stats = client.ask("/msf/stats", port) or {}
    unwanted = client.ask("/msf/unwanted", port) or {}
    return {
        "port": port, "info": info,
        "querier": client.ask("/mldv2/querier/info", port) or {},
        "rates": {key: rates.of((port, key), value) for key, value in stats.items()
                  if isinstance(value, int)},
        "groups": [g for page in client.pages("/mldv2/group/list", port)
                   for g in page.get("groups", [])],
        "unwanted": list(unwanted.get("unwanted", {}).values()),
    }


def detail(client, port, group, rates):
    """A row of the table of groups; None when it has gone meanwhile."""
    found = client.ask("/mldv2/group/info", port, group)
    if found is None:
        return None
    return {
        "port": port, "group": group, "mode": found.get("mode", "?"),
        "sources": found.get("sources_total", 0), "sockets": found.get("sockets_total", 0),
        "passed": rates.of((port, group, "passed"), found.get("packets", 0)),
        "dropped": rates.of((port, group, "dropped"), found.get("dropped", 0)),
    }


def sample(client, rates, only=None, sort="group", first=0, count=None):
    """All that is shown, at this moment. `first` and `count` are the visible groups."""
    ports = client.ask("/mldv2/port/list")
    ports = [p for p in ports or [] if only is None or str(p) == only]
    found = [p for p in (sample_port(client, port, rates) for port in ports) if p]
    groups = [(p["port"], g) for p in found for g in p["groups"]]
    sorted_by_rate = sort != "group" and len(groups) <= SORTABLE
    visible = groups if sorted_by_rate else groups[first:None if count is None else first + count]
    rows = [r for r in (detail(client, port, group, rates) for port, group in visible) if r]
    if sorted_by_rate:
        rows.sort(key=lambda row: -(row[sort] or 0))
        rows = rows[first:None if count is None else first + count]
    return {"ports": found, "groups_total": len(groups), "first": first, "groups": rows,
            "sort": sort if sorted_by_rate or sort == "group" else "group"}


# Views: from a sample to lines, none wider than `width`.

def number(value):
    """In five columns."""
    if value is None:
        return "-"
    for unit in ["", "k", "M", "G", "T"]:
        if value < 999.5:
            return f"{value:.0f}{unit}" if not unit or value >= 99.95 else f"{value:.1f}{unit}"
        value /= 1000
    return ">999T"


def age(ms):
    seconds = ms / 1000
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def cut(text, width):
    """Of a long text the middle is left out: the ends of addresses tell them apart."""
    text = clean(text)
    if len(text) <= width:
        return text
    head = (width - 2) // 2
    return text[:head] + ".." + text[len(text) - (width - 2 - head):]


def querier_text(querier):
    if not querier:
        return "querier unknown"
    others = querier.get("others_total", 0)
    more = f", {others} other{'s' if others > 1 else ''}" if others else ""
    if not querier.get("queries"):
        return "no querier heard"
    name = f"querier {querier.get('address', '?')}"
    if querier.get("silent", not querier.get("present")):
        return f"{name} SILENT, last heard {age(querier.get('last_heard_ms', 0))} ago{more}"
    return (f"{name} v{querier.get('version', '?')}, "
            f"{age(querier.get('last_heard_ms', 0))} ago{more}")


def port_lines(port, width):
    info, rates = port["info"], port["rates"]
    mode = info.get("mode", "?")
    if mode == "mldv1":
        mode += f" {age(info.get('older_version_querier_present_ms', 0))}"
    head = (f"port {port['port']} {info.get('device', '?')}  link {info.get('link', '?')}  "
            f"address {info.get('address_state', '?')}  {mode}  "
            f"mac {info.get('mac_filter', '?')}")
    wanted = [("rx", "rx_packets"), ("passed", "passed"), ("no group", "drop_no_group"),
              ("wrong source", "drop_source"), ("other", "other"), ("MLD", "mld")]
    counts = "  ".join(f"{name} {number(rates.get(key))}/s" for name, key in wanted)
    return [clean(line)[:width] for line in
            (head, f"  {querier_text(port['querier'])}; {info.get('groups', '?')} groups, "
                   f"{info.get('sources', '?')} sources", f"  {counts}")]


def group_lines(shown, width):
    room = max(10, width - 36)
    lines = [f"{'PORT':>4} {'GROUP':<{room}} MO {'SRC':>5} {'SOCK':>4} {'PASS/s':>7} {'DROP/s':>7}"]
    for row in shown["groups"]:
        lines.append(f"{row['port']:>4} {cut(row['group'], room):<{room}} "
                     f"{clean(row['mode'])[:2].upper():<2} {row['sources']:>5} "
                     f"{row['sockets']:>4} {number(row['passed']):>7} {number(row['dropped']):>7}")
    if not shown["groups"]:
        lines.append("     (no groups)")
    return [line[:width].rstrip() for line in lines]


def stranger_lines(shown, width, most=STRANGERS):
    pairs = [(p["port"], pair) for p in shown["ports"] for pair in p["unwanted"]]
    pairs.sort(key=lambda pair: -pair[1].get("packets", 0))
    room = max(10, (width - 16) // 2)
    lines = [f"{'PORT':>4} {'UNWANTED GROUP':<{room}} {'SOURCE':<{room}} {'PACKETS':>7}"]
    for port, pair in pairs[:most]:
        lines.append(f"{port:>4} {cut(pair.get('group', '?'), room):<{room}} "
                     f"{cut(pair.get('source', '?'), room):<{room}} "
                     f"{number(pair.get('packets', 0)):>7}")
    return [line[:width].rstrip() for line in lines] if pairs else []


def all_lines(shown, title, width, height=None):
    """The whole picture. With a height the groups take the lines that are left."""
    lines = [clean(title)[:width]]
    for port in shown["ports"]:
        lines += port_lines(port, width)
    strangers = stranger_lines(shown, width)
    groups = group_lines(shown, width)
    last = shown["first"] + len(shown["groups"])
    more = f"  groups {shown['first'] + 1} to {last} of {shown['groups_total']}"
    if not shown["groups"] or last - shown["first"] == shown["groups_total"]:
        more = ""
    if height is not None:
        groups = groups[:max(1, height - len(lines) - len(strangers) - (1 if more else 0))]
    return lines + groups + ([more[:width]] if more else []) + strangers


HELP = """\
q        end                     up, down, page keys, home, end: groups
g        groups by address       p   by packets passed
d        by packets dropped      +   - the interval
h or ?   this                    any key: back""".splitlines()


# The terminal.

class Live:
    def __init__(self, screen, args, prefix, client):
        self.screen, self.args, self.prefix, self.client = screen, args, prefix, client
        self.rates, self.first, self.sort, self.help = Rates(), 0, args.sort, False
        self.shown = None
        self.rows = 10

    def refresh(self):
        self.shown = sample(self.client, self.rates, self.args.port, self.sort, self.first,
                            self.rows)

    def draw(self):
        height, width = self.screen.getmaxyx()
        title = (f"mldv2-top  {self.prefix}  pid {self.client.pid}  {time.strftime('%H:%M:%S')}  "
                 f"every {self.args.interval:g} s  h for help")
        lines = all_lines(self.shown, title, width - 1, height)
        if self.help:
            lines = [lines[0], *HELP]
        self.screen.erase()
        for y, line in enumerate(lines[:height]):
            self.screen.addnstr(y, 0, line, width - 1)
        self.screen.refresh()
        fixed = len(self.shown["ports"]) * 3 + 3 + len(stranger_lines(self.shown, width))
        self.rows = max(1, height - fixed)

    def key(self, key):
        """False: it is the last one."""
        if key == ord("q"):
            return False
        if self.help and key != curses.KEY_RESIZE:
            self.help = False
            return True
        total = self.shown["groups_total"]
        step = {curses.KEY_UP: -1, curses.KEY_DOWN: 1, curses.KEY_PPAGE: -self.rows,
                curses.KEY_NPAGE: self.rows, curses.KEY_HOME: -total, curses.KEY_END: total}
        if key in step:
            self.first = max(0, min(self.first + step[key], total - self.rows))
        elif key in (ord("h"), ord("?")):
            self.help = True
        elif key in map(ord, "gpd"):
            self.sort, self.first = {"g": "group", "p": "passed", "d": "dropped"}[chr(key)], 0
        elif key == ord("+"):
            self.args.interval = min(60, self.args.interval * 2)
        elif key == ord("-"):
            self.args.interval = max(0.25, self.args.interval / 2)
        return True

    def run(self):
        self.screen.keypad(True)
        try:
            curses.curs_set(0)
        except curses.error:
            pass  # a terminal without that
        self.refresh()
        due = time.monotonic()
        while True:
            self.draw()
            self.screen.timeout(max(1, int(1000 * (due + self.args.interval - time.monotonic()))))
            key = self.screen.getch()
            if key != -1 and not self.key(key):
                return
            if key == -1 or key != curses.KEY_RESIZE:
                self.refresh()
                due = time.monotonic()


def run_live(args, prefix, client):
    def end(_number, _frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    try:
        curses.wrapper(lambda screen: Live(screen, args, prefix, client).run())
    except KeyboardInterrupt:
        return 0
    except curses.error as error:
        print(f"mldv2-top: this terminal cannot be used ({error}): try --once", file=sys.stderr)
        return 1
    return 0


def run_once(args, prefix, client):
    rates = Rates()
    count = None if args.groups == 0 or args.json else args.groups
    sample(client, rates, args.port, args.sort, 0, count)
    time.sleep(args.interval)
    shown = sample(client, rates, args.port, args.sort, 0, count)
    if args.json:
        print(json.dumps(shown, indent=1))
    else:
        title = f"mldv2-top  {prefix}  pid {client.pid}  over {args.interval:g} s"
        print("\n".join(all_lines(shown, title, args.width)))
    return 0


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="mldv2-top", description="Watch a running mldv2-host: ports, queriers, groups, "
        "rates, and what comes that nobody wants.")
    parser.add_argument("-f", "--file-prefix", metavar="PREFIX",
                        help="of the mldv2-host to watch; needed when several run")
    parser.add_argument("-i", "--interval", type=float, default=1.0, metavar="SECONDS",
                        help="between two looks, 0.1 to 3600 (default 1)")
    parser.add_argument("-p", "--port", metavar="ID", help="only this port")
    parser.add_argument("-s", "--sort", choices=["group", "passed", "dropped"], default="group",
                        help="order of groups; by rates up to 256 groups")
    parser.add_argument("-1", "--once", action="store_true",
                        help="print one picture as plain text and end")
    parser.add_argument("-j", "--json", action="store_true", help="one picture as JSON, and end")
    parser.add_argument("-n", "--groups", type=int, default=GROUP_LINES, metavar="COUNT",
                        help="groups that --once shows, 0 for all (default 10)")
    parser.add_argument("-w", "--width", type=int, default=80, metavar="COLUMNS",
                        help="of --once, 40 to 500 (default 80)")
    args = parser.parse_args(argv)
    if not 0.1 <= args.interval <= 3600:
        parser.error("--interval: 0.1 to 3600 seconds")
    if not 40 <= args.width <= 500:
        parser.error("--width: 40 to 500 columns")
    if args.groups < 0:
        parser.error("--groups: 0 or more")
    if args.port is not None and not args.port.isdigit():
        parser.error("--port: a port id, as in /mldv2/port/list")
    return args


def main(argv=None):
    args = parse(argv)
    try:
        prefix, client = connect(args.file_prefix)
    except Gone as error:
        print(f"mldv2-top: {error}", file=sys.stderr)
        return 1
    try:
        if args.once or args.json:
            return run_once(args, prefix, client)
        return run_live(args, prefix, client)
    except Gone as error:
        print(f"mldv2-top: {prefix} is gone: {error}", file=sys.stderr)
        return EXIT_GONE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
