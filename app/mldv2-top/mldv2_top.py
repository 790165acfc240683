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
PAGES = 4096  # of a list; what is longer never ends


class Gone(Exception):
    """Nobody answers (any more)."""


class NoSuchPort(Exception):
    """The port that was asked for is not there."""


def clean(text):
    """Whatever a peer chose, it is printable ASCII here."""
    return re.sub(r"[^ -~]", "?", str(text))


# What is asked of an answer is there, whatever came.

def mapping(value):
    return value if isinstance(value, dict) else {}


def whole(answer, key):
    value = answer.get(key, 0)
    return value if isinstance(value, int) else 0


class Client:
    """The telemetry socket of one process."""

    def __init__(self, path, timeout=5.0):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect(path)
            hello = self.sock.recv(4096)
        except OSError as error:
            self.sock.close()
            raise Gone(error.strerror or str(error)) from error
        try:
            hello = json.loads(hello)
            self.max_len, self.pid = int(hello["max_output_len"]), hello.get("pid", "?")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.sock.close()
            raise Gone("it does not greet as DPDK does" if hello else
                       "all of its telemetry connections are taken") from error

    def ask(self, command, *args):
        """The answer; None for a refusal or a command that is not there."""
        try:
            self.sock.send(",".join([command, *map(str, args)]).encode())
            reply = self.sock.recv(self.max_len)
            if not reply:
                raise Gone("it has ended")
            answer = next(iter(json.loads(reply).values()))
        except TimeoutError as error:
            raise Gone(f"no answer in {self.sock.gettimeout():g} s") from error
        except OSError as error:
            raise Gone(error.strerror or str(error)) from error
        except (ValueError, AttributeError, StopIteration) as error:
            raise Gone("its answer is not DPDK's") from error
        refused = isinstance(answer, dict) and whole(answer, "result") < 0
        return None if refused else answer

    def pages(self, command, *args):
        """The answers of a list that comes in pages."""
        offset = 0
        for _ in range(PAGES):
            page = self.ask(command, *args, offset)
            if not isinstance(page, dict):
                return
            yield page
            if not page.get("truncated") or whole(page, "next") <= offset:
                return
            offset = page["next"]

    def close(self):
        self.sock.close()


def runtime_dirs():
    """Where DPDK may have put its sockets, likeliest first."""
    candidates = [os.environ.get("RUNTIME_DIRECTORY"), "/var/run" if os.getuid() == 0 else None,
                  os.environ.get("XDG_RUNTIME_DIR"), "/run", "/tmp"]
    return [os.path.join(d, "dpdk") for d in dict.fromkeys(candidates) if d]


def connect(prefix):
    """The daemon of that prefix, or the only one there is."""
    pattern = glob.escape(prefix) if prefix else "*"
    found, reasons = {}, []
    for directory in runtime_dirs():
        for path in sorted(glob.glob(os.path.join(directory, pattern, "dpdk_telemetry.v2"))):
            name = os.path.basename(os.path.dirname(path))
            if name in found:
                continue
            try:
                client = Client(path)
                if client.ask("/mldv2/port/list") is not None:
                    found[name] = client
                    continue
                client.close()
                reasons.append(f"{path}: not of an mldv2-host")
            except Gone as error:
                reasons.append(f"{path}: {error}")
    if len(found) == 1:
        return next(iter(found.items()))
    if found:
        raise Gone("several are running, choose one with -f: " + ", ".join(found))
    what = f"with the file-prefix {prefix}" if prefix else "here"
    why = "; ".join(reasons[:3]) or "there is no telemetry socket, is it running?"
    raise Gone(f"no mldv2-host answers {what}: {why}")


class Rates:
    """Differences of counters over the time between two samples.

    Looks that follow each other within `least` seconds (somebody presses keys) share a rate. What
    nobody asked for during KEPT samples is forgotten.
    """

    KEPT = 256

    def __init__(self, clock=time.monotonic, least=0.0):
        self.clock, self.least, self.seen, self.turn = clock, least, {}, 0

    def begin(self):
        """A new sample."""
        self.turn += 1
        if self.turn % self.KEPT == 0:
            self.seen = {key: old for key, old in self.seen.items()
                         if old[3] > self.turn - self.KEPT}

    def of(self, key, value):
        """A second; None while there is nothing to compare with. Counters may begin anew."""
        now = self.clock()
        if key not in self.seen:
            self.seen[key] = value, now, None, self.turn
            return None
        before, then, rate, _ = self.seen[key]
        if now <= then or now - then < self.least:
            self.seen[key] = before, then, rate, self.turn
            return rate
        rate = max(0.0, (value - before) / (now - then))
        self.seen[key] = value, now, rate, self.turn
        return rate


def sample_port(client, port, info, rates):
    stats = mapping(client.ask("/msf/stats", port))
    unwanted = mapping(mapping(client.ask("/msf/unwanted", port)).get("unwanted"))
    pages = [page.get("groups") for page in client.pages("/mldv2/group/list", port)]
    return {
        "port": port, "info": info,
        "querier": mapping(client.ask("/mldv2/querier/info", port)),
        "latency": mapping(client.ask("/mldv2/latency", port)),
        "rates": {key: rates.of((port, key), value) for key, value in stats.items()
                  if isinstance(value, int)},
        "groups": [clean(group) for page in pages if isinstance(page, list) for group in page],
        "unwanted": [pair for pair in unwanted.values() if isinstance(pair, dict)],
    }


def sample_ports(client, rates, only=None):
    """Each port, or the one of that id or device name."""
    ports = client.ask("/mldv2/port/list")
    ports = [p for p in ports if isinstance(p, int)] if isinstance(ports, list) else []
    infos = {p: mapping(client.ask("/mldv2/port/info", p)) for p in ports}
    chosen = [p for p, info in infos.items() if only in (None, str(p), info.get("device"))]
    if only is not None and not chosen:
        raise NoSuchPort(f"no port {only}; there are: " + ", ".join(
            f"{p} ({info.get('device', '?')})" for p, info in infos.items()))
    return ports, [sample_port(client, p, infos[p], rates) for p in chosen if infos[p]]


def detail(client, port, group, rates):
    """A row of the table of groups; None when it has gone meanwhile."""
    found = client.ask("/mldv2/group/info", port, group)
    if not isinstance(found, dict):
        return None
    return {
        "port": port, "group": group, "mode": found.get("mode", "?"),
        "sources": whole(found, "sources_total"), "sockets": whole(found, "sockets_total"),
        "passed": rates.of((port, group, "passed"), whole(found, "packets")),
        "dropped": rates.of((port, group, "dropped"), whole(found, "dropped")),
    }


def sample(client, rates, only=None, sort="group", first=0, count=None):
    """All that is shown, at this moment. `first` and `count` are the visible groups."""
    rates.begin()
    ports, found = sample_ports(client, rates, only)
    groups = [(p["port"], g) for p in found for g in p["groups"]]
    count = len(groups) if count is None else count
    first = max(0, min(first, len(groups) - count))
    sortable = sort != "group" and len(groups) <= SORTABLE
    visible = groups if sortable else groups[first:first + count]
    rows = [r for r in (detail(client, port, group, rates) for port, group in visible) if r]
    if sortable:
        rows.sort(key=lambda row: -(row[sort] or 0))
        rows = rows[first:first + count]
    return {"all_ports": ports, "ports": found, "groups_total": len(groups), "first": first,
            "groups": rows, "sort": sort if sortable else "group"}


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
    for unit, size in [("s", 1), ("min", 60), ("h", 3600)]:
        if seconds < 119.5 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


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
    if not whole(querier, "queries"):
        return "no querier heard"
    name = f"querier {querier.get('address', '?')}"
    others = whole(querier, "others_total")
    more = f", {others} other{'s' if others > 1 else ''}" if others else ""
    heard = age(whole(querier, "last_heard_ms"))
    if querier.get("silent", not querier.get("present")):
        return f"{name} SILENT, last heard {heard} ago{more}"
    return f"{name} v{querier.get('version', '?')}, {heard} ago{more}"


def latency_text(latency):
    """Milliseconds of what was measured; nothing if nothing was."""
    def ms(histogram, key):
        value = whole(histogram, key) / 1000
        return f"{value:.1f}" if value < 99.95 else f"{value:.0f}"

    texts = []
    for name in ["report", "first_packet", "answer"]:
        histogram = mapping(latency.get(name))
        if whole(histogram, "count"):
            texts.append(f"{name.replace('_', ' ')} "
                         f"{ms(histogram, 'p50_us')}/{ms(histogram, 'p99_us')}")
    return "p50/p99 ms: " + "  ".join(texts) if texts else ""


def port_lines(port, width, latency=False):
    info = port["info"]
    mode = info.get("mode", "?")
    if mode == "mldv1":
        mode += f" {age(whole(info, 'older_version_querier_present_ms'))}"
    head = (f"  link {info.get('link', '?')}  address {info.get('address_state', '?')}  {mode}  "
            f"mac {info.get('mac_filter', '?')}")
    name = f"port {port['port']} "
    device = cut(info.get("device", "?"), max(8, width - len(name) - len(head)))
    measured = latency and latency_text(port["latency"])
    return [clean(line)[:width] for line in
            [name + device + head, f"  {querier_text(port['querier'])}",
             *([f"  {measured}"] if measured else [])]]


def port_line(port, width):
    """The same, where many ports share the screen."""
    info, querier = port["info"], port["querier"]
    words = [info.get(key, "?") for key in ["link", "address_state", "mode", "mac_filter"]]
    if not whole(querier, "queries"):
        words.append("no querier")
    elif querier.get("silent", not querier.get("present")):
        words.append("querier SILENT")
    text = " ".join(map(clean, words))
    name = f"port {port['port']} "
    device = cut(info.get("device", "?"), max(8, width - len(name) - len(text) - 2))
    return f"{name}{device}  {text}"[:width].rstrip()


def rate_lines(shown, width):
    """Packets of ports."""
    columns = [("RX/s", 7, "rx_packets"), ("PASS/s", 7, "passed"), ("NO-GROUP/s", 10,
               "drop_no_group"), ("WRONG-SRC/s", 11, "drop_source"), ("OTHER/s", 7, "other"),
               ("MLD/s", 6, "mld")]
    lines = [" ".join(["PORT", *(f"{name:>{size}}" for name, size, _ in columns),
                       f"{'GROUPS':>7} {'SOURCES':>7}"])]
    for port in shown["ports"]:
        counts = [whole(port["info"], "groups"), whole(port["info"], "sources")]
        lines.append(" ".join([f"{port['port']:>4}",
                               *(f"{number(port['rates'].get(key)):>{size}}"
                                 for _, size, key in columns),
                               *(f"{count:>7}" for count in counts)]))
    return [line[:width] for line in lines]


def group_lines(rows, width):
    room = max(10, width - 36)
    lines = [f"{'PORT':>4} {'GROUP':<{room}} MO {'SRC':>5} {'SOCK':>4} {'PASS/s':>7} {'DROP/s':>7}"]
    for row in rows:
        lines.append(f"{row['port']:>4} {cut(row['group'], room):<{room}} "
                     f"{clean(row['mode'])[:2].upper():<2} {row['sources']:>5} "
                     f"{row['sockets']:>4} {number(row['passed']):>7} {number(row['dropped']):>7}")
    if not rows:
        lines.append("     (no groups)")
    return [line[:width].rstrip() for line in lines]


def stranger_lines(shown, width, most=STRANGERS):
    pairs = [(p["port"], pair) for p in shown["ports"] for pair in p["unwanted"]]
    pairs.sort(key=lambda pair: -whole(pair[1], "packets"))
    room = max(10, (width - 24) // 2)
    lines = [f"{'PORT':>4} {'UNWANTED GROUP':<{room}} {'SOURCE':<{room}} {'PACKETS':>7} {'AGO':>7}"]
    for port, pair in pairs[:most]:
        lines.append(f"{port:>4} {cut(pair.get('group', '?'), room):<{room}} "
                     f"{cut(pair.get('source', '?'), room):<{room}} "
                     f"{number(whole(pair, 'packets')):>7} "
                     f"{age(whole(pair, 'last_seen_ms')):>7}")
    return [line[:width].rstrip() for line in lines] if pairs else []


def position(shown, rows):
    """Which groups these are."""
    order = {"group": "address", "passed": "packets passed", "dropped": "packets dropped"}
    text = (f"  groups {shown['first'] + 1} to {shown['first'] + rows} of {shown['groups_total']}"
            f" by {order[shown['sort']]}")
    if shown.get("wanted_sort", shown["sort"]) != shown["sort"]:
        text += f": more than {SORTABLE} are not sorted"
    return text if rows else ""


def layout(shown, width, height, latency=False):
    """(lines above the groups, how many groups there is room for, lines below)"""
    above = [line for port in shown["ports"] for line in port_lines(port, width, latency)]
    below = stranger_lines(shown, width)
    if height is None:
        return above + rate_lines(shown, width), len(shown["groups"]), below
    if len(above) > height // 3:  # many ports: a line of each
        above = [port_line(port, width) for port in shown["ports"]]
    above += rate_lines(shown, width)
    if len(above) > height - 6:
        above = above[:max(0, height - 7)] + ["  (no room for all ports: Tab, or -p)"[:width]]
    rows = height - 3 - len(above) - len(below)
    if rows < 3:
        rows, below = rows + len(below), []
    return above, max(1, rows), below


def all_lines(shown, title, width, height=None, latency=True):
    """The whole picture. With a height the groups take the lines that are left."""
    above, room, below = layout(shown, width, height, latency)
    rows = shown["groups"][:room]
    more = position(shown, len(rows))
    if height is None and len(rows) == shown["groups_total"]:
        more = ""
    return [clean(title)[:width], *above, *group_lines(rows, width),
            *([more[:width]] if more else []), *below]


HELP = """\
q        end                     up, down, page keys, home, end: groups
g        groups by address       p   by packets passed
d        by packets dropped      Tab the next port, or all of them
l        latencies               + - the interval
h or ?   this                    any key: back""".splitlines()


# The terminal.

class Live:
    def __init__(self, screen, args, prefix, client):
        self.screen, self.prefix, self.client = screen, prefix, client
        self.only, self.sort, self.interval = args.port, args.sort, args.interval
        self.rates, self.first, self.help, self.latency = Rates(), 0, False, False
        self.shown = None
        self.rows = 10

    def refresh(self):
        self.rates.least = 0.9 * min(1.0, self.interval)
        self.shown = sample(self.client, self.rates, self.only, self.sort, self.first, self.rows)
        self.shown["wanted_sort"] = self.sort
        self.first = self.shown["first"]

    def draw(self):
        """True: there is room for more groups than were asked for."""
        height, width = self.screen.getmaxyx()
        width -= 1  # what writes the last column of the last line scrolls some terminals
        title = (f"mldv2-top  {self.prefix}  pid {self.client.pid}  {time.strftime('%H:%M:%S')}  "
                 f"every {self.interval:g} s  h for help")
        lines = all_lines(self.shown, title, width, height, self.latency)
        if self.help:
            lines = [lines[0], *HELP]
        self.screen.erase()
        for y, line in enumerate(lines[:height]):
            self.screen.addnstr(y, 0, line, max(0, width))
        self.screen.refresh()
        self.rows = layout(self.shown, width, height, self.latency)[1]
        return len(self.shown["groups"]) < min(self.rows, self.shown["groups_total"])

    def next_port(self):
        choices = [None, *map(str, self.shown["all_ports"])]
        now = choices.index(self.only) if self.only in choices else 0
        self.only, self.first = choices[(now + 1) % len(choices)], 0

    def key(self, key):
        """False: it is the last one."""
        if key == ord("q"):
            return False
        if key == 12:  # ^L
            self.screen.clear()
            return True
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
        elif key == ord("\t"):
            self.next_port()
        elif key == ord("l"):
            self.latency = not self.latency
        elif key == ord("+"):
            self.interval = min(60, self.interval * 2)
        elif key == ord("-"):
            self.interval = max(0.25, self.interval / 2)
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
            if self.draw():
                self.refresh()
                self.draw()
            left = due + self.interval - time.monotonic()
            self.screen.timeout(max(1, int(1000 * left)))
            key = self.screen.getch()
            if key != -1 and not self.key(key):
                return
            if key != curses.KEY_RESIZE or due + self.interval <= time.monotonic():
                self.refresh()
                due = time.monotonic()


def run_live(args, prefix, client):
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        print("mldv2-top: the live view needs a terminal: try --once", file=sys.stderr)
        return 1

    def end(_number, _frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGHUP, end)
    try:
        curses.wrapper(lambda screen: Live(screen, args, prefix, client).run())
    except KeyboardInterrupt:
        return 0
    except curses.error as error:
        print(f"mldv2-top: this terminal cannot be used ({clean(error)}): try --once",
              file=sys.stderr)
        return 1
    return 0


def run_once(args, prefix, client):
    rates = Rates()
    count = None if args.groups == 0 or args.json else args.groups
    sample(client, rates, args.port, args.sort, 0, count)
    time.sleep(args.interval)
    shown = sample(client, rates, args.port, args.sort, 0, count)
    shown["wanted_sort"] = args.sort
    if args.json:
        print(json.dumps(shown, indent=1))
    else:
        title = f"mldv2-top  {prefix}  pid {client.pid}  over {args.interval:g} s"
        print("\n".join(all_lines(shown, title, args.width)))
    sys.stdout.flush()  # so that a reader who left is met here
    return 0


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="mldv2-top", description="Watch a running mldv2-host: ports, queriers, groups, "
        "rates, and what comes that nobody wants.")
    parser.add_argument("-f", "--file-prefix", metavar="PREFIX",
                        help="of the mldv2-host to watch; needed when several run")
    parser.add_argument("-i", "--interval", type=float, default=1.0, metavar="SECONDS",
                        help="between two looks, 0.1 to 3600 (default 1)")
    parser.add_argument("-p", "--port", metavar="PORT",
                        help="only this port, by its id (0) or device name (net_tap0)")
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
    if args.port == "":
        parser.error("--port: an id (0) or a device name (net_tap0)")
    return args


def main(argv=None):
    args = parse(argv)
    try:
        prefix, client = connect(args.file_prefix)
    except Gone as error:
        print(f"mldv2-top: {clean(error)}", file=sys.stderr)
        return 1
    try:
        if args.once or args.json:
            return run_once(args, prefix, client)
        return run_live(args, prefix, client)
    except Gone as error:
        print(f"mldv2-top: {clean(prefix)} is gone: {clean(error)}", file=sys.stderr)
        return EXIT_GONE
    except NoSuchPort as error:
        print(f"mldv2-top: {clean(error)}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 0


if __name__ == "__main__":
    sys.exit(main())
