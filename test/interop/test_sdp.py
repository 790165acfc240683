# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 The mldv2-host authors
"""What examples/video-rx takes from session descriptions and its command line, by --check."""

import subprocess

import pytest

S1, S2, S3 = "2001:db8::1", "2001:db8::2", "2001:db8::3"
G1, G2 = "ff3e::8000:1", "ff3e::8000:2"

HEAD = f"v=0\no=- 1 1 IN IP6 {S1}\ns=test\nt=0 0\n"  # four lines
MEDIUM = "m=video 5004 RTP/AVP 96\n"
CONNECTION = f"c=IN IP6 {G1}\n"
FILTER = f"a=source-filter: incl IN IP6 {G1} {S1}\n"
RATE = "a=rtpmap:96 raw/90000\n"
GOOD = HEAD + MEDIUM + CONNECTION + FILTER + RATE

# text, options, flows as --check tells them
FORMS = {
    "at the medium": (GOOD, [], [f"0,{S1},{G1},5004,90000"]),
    "at the session": (HEAD + CONNECTION + FILTER + MEDIUM, [], [f"0,{S1},{G1},5004"]),
    "any destination": (HEAD + f"a=source-filter:incl IN IP6 * {S2}\n" + MEDIUM + CONNECTION,
                        [], [f"0,{S2},{G1},5004"]),
    "addresses of any type": (HEAD + MEDIUM + CONNECTION + f"a=source-filter: incl IN * * {S2}\n",
                              [], [f"0,{S2},{G1},5004"]),
    "several sources": (HEAD + MEDIUM + CONNECTION
                        + f"a=source-filter: incl IN IP6 {G1} {S1} {S2}  {S3} \n", [],
                        [f"0,{s},{G1},5004" for s in (S1, S2, S3)]),
    "the medium overrides": (HEAD + f"c=IN IP6 {G2}\na=source-filter: incl IN IP6 * {S2}\n"
                             + MEDIUM + CONNECTION + FILTER + "m=audio 5006 RTP/AVP 10\n", [],
                             [f"0,{S1},{G1},5004", f"0,{S2},{G2},5006,44100"]),
    "the exact destination first": (HEAD + f"a=source-filter: incl IN IP6 * {S2}\n" + FILTER
                                    + MEDIUM + CONNECTION, [], [f"0,{S1},{G1},5004"]),
    "a filter of another group": (HEAD + f"a=source-filter: incl IN IP6 {G1} {S1}\n"
                                  f"a=source-filter: incl IN IP6 {G2} {S2}\n" + MEDIUM
                                  + f"c=IN IP6 {G2}\n", [], [f"0,{S2},{G2},5004"]),
    "lines end with CR LF": (GOOD.replace("\n", "\r\n"), [], [f"0,{S1},{G1},5004,90000"]),
    "no end of the last line": (GOOD[:-1], [], [f"0,{S1},{G1},5004,90000"]),
    "an empty line at the end": (GOOD + "\r\n", [], [f"0,{S1},{G1},5004,90000"]),
    "the rate of the first format": (HEAD + "m=audio 5004 RTP/AVPF 97 98\n" + CONNECTION + FILTER
                                     + "a=rtpmap:98 L16/8000\na=rtpmap:97 L24/48000/2\n", [],
                                     [f"0,{S1},{G1},5004,48000"]),
    "a transport stream": (HEAD + "m=video 5004 RTP/AVP 33\n" + CONNECTION + FILTER, [],
                           [f"0,{S1},{G1},5004,90000"]),
    "what says nothing here": (HEAD + "b=AS:1000\na=recvonly\na=group:LS x y\n" + MEDIUM
                               + "i=main\nb=AS:1\n" + CONNECTION + FILTER + "a=fmtp:96 width=1\n",
                               [], [f"0,{S1},{G1},5004"]),
}

LEGS = HEAD + "a=group:DUP red blue\n" + "".join(
    f"m=video 5004 RTP/AVP 96\nc=IN IP6 {group}\na=source-filter: incl IN IP6 {group} {source}\n"
    f"a=mid:{name}\n" for group, source, name in ((G1, S1, "red"), (G2, S2, "blue")))
FORMS |= {
    "legs on one port": (LEGS, [], [f"0,{S1},{G1},5004", f"0,{S2},{G2},5004"]),
    "legs on two ports": (LEGS, ["--legs", "3,1"], [f"3,{S1},{G1},5004", f"1,{S2},{G2},5004"]),
    "legs in another order": (LEGS.replace("red blue", "blue red"), ["--legs", "3,1"],
                              [f"1,{S1},{G1},5004", f"3,{S2},{G2},5004"]),
    "the same on both legs": (LEGS.replace(G2, G1).replace(S2, S1), ["--legs", "0,1"],
                              [f"0,{S1},{G1},5004", f"1,{S1},{G1},5004"]),
    "more legs than ports": (LEGS, ["--legs", "2"], [f"2,{S1},{G1},5004", f"2,{S2},{G2},5004"]),
    "beside --flow": (GOOD, ["--flow", f"1,{S2},{G2},7,8000"],
                      [f"1,{S2},{G2},7,8000", f"0,{S1},{G1},5004,90000"]),
}


def edited(old, new, text=GOOD):
    assert old in text
    return text.replace(old, new, 1)


# text, line, part of the message
BAD = {
    "nothing": ("", 1, "no m= line"),
    "no medium": (HEAD, 4, "no m= line"),
    "no version": (GOOD[4:], 1, "v=0 is the first line"),
    "another version": (edited("v=0", "v=1"), 1, "v=0 is the first line"),
    "a second version": (HEAD + "v=0\n", 5, "v=0 is the first line"),
    "no line of SDP": (edited("s=test", "# a comment"), 3, "no line of SDP: '# a comment'"),
    "an empty line": (edited("s=test", ""), 3, "no line of SDP"),
    "an unknown letter": (edited("s=test", "x=test"), 3, "no line of SDP"),
    "a control character": (edited("s=test", "s=te\x1b[2Jst"), 3, "control character"),
    "a zero": (edited("s=test", "s=te\0st"), 3, "control character"),
    "a CR amid": (edited("s=test", "s=te\rst"), 3, "control character"),
    "no connection": (edited(CONNECTION, ""), 5, "no c=IN IP6 line"),
    "IPv4": (edited(CONNECTION, "c=IN IP4 232.0.0.1/32\n"), 6, "not IN IP4"),
    "a unicast connection": (edited(CONNECTION, f"c=IN IP6 {S2}\n"), 6, f"'{S2}' is no IPv6 multi"),
    "a group of this host": (edited(CONNECTION, "c=IN IP6 ff31::8000:1\n"), 6, "can be joined"),
    "no address": (edited(CONNECTION, "c=IN IP6 video.example\n"), 6, "'video.example' is no IPv6"),
    "a range of groups": (edited(CONNECTION, f"c=IN IP6 {G1}/3\n"), 6, "not the range"),
    "two connections": (edited(CONNECTION, CONNECTION * 2), 7, "a second c= line"),
    "no source filter": (edited(FILTER, ""), 5, f"want a=source-filter: incl IN IP6 {G1} SOURCE"),
    "a filter of another group": (edited(FILTER, FILTER.replace(G1, G2)), 5, "no source for it"),
    "excluded sources": (edited("incl", "excl"), 7, "'excl'"),
    "a filter for IPv4": (edited("incl IN IP6", "incl IN IP4"), 7, "not IN IP4"),
    "a filter without source": (edited(f" {S1}\na=rtp", "\na=rtp"), 7, "without a source"),
    "a multicast source": (edited(f"{G1} {S1}", f"{G1} {G2}"), 7, f"the source '{G2}'"),
    "a named source": (edited(f"{G1} {S1}", f"{G1} camera"), 7, "the source 'camera'"),
    "a source twice": (edited(f"{G1} {S1}", f"{G1} {S1} {S2} 2001:db8:0::1"), 7, "stands twice"),
    "sources without end": (edited(f"{G1} {S1}", f"{G1} " + " ".join(
        f"2001:db8::{n:x}" for n in range(1, 67))), 7, "more than 64 sources"),
    "two filters for one": (edited(FILTER, FILTER * 2), 8, "a second source filter"),
    "a unicast destination": (edited(f"IP6 {G1} {S1}", f"IP6 {S2} {S1}"), 7, "no IPv6 multicast"),
    "no UDP port": (edited("video 5004", "video 0"), 5, "want one UDP port, 1 to 65535, not '0'"),
    "too high a port": (edited("5004", "65536"), 5, "'65536'"),
    "several ports": (edited("5004", "5004/2"), 5, "'5004/2'"),
    "no RTP": (edited("RTP/AVP", "udp"), 5, "want RTP/AVP, not 'udp'"),
    "no format": (edited("AVP 96", "AVP"), 5, "payload type"),
    "a format beyond": (edited("AVP 96", "AVP 128"), 5, "payload type, 0 to 127, not '128'"),
    "no rate": (edited("raw/90000", "raw"), 8, "want a=rtpmap:TYPE NAME/CLOCKRATE"),
    "a rate of 0": (edited("raw/90000", "raw/0"), 8, "want a=rtpmap:TYPE NAME/CLOCKRATE"),
    "a rate of the session": (edited("t=0 0\n", "t=0 0\n" + RATE), 5, "at a medium"),
    "a leg that is not there": (edited("red blue", "red green", LEGS), 5, "a=mid:green"),
    "a leg twice": (edited("red blue", "red red", LEGS), 5, "'red' stands twice"),
    "two media of one name": (edited("mid:blue", "mid:red", LEGS), 13, "are called 'red'"),
    "a group too late": (GOOD + "a=group:DUP a b\n", 9, "before the first m= line"),
    "the same flow twice": (GOOD + MEDIUM + CONNECTION + FILTER, 9, "this flow is there already"),
    "media without end": (HEAD + CONNECTION + f"a=source-filter: incl IN IP6 * {S1}\n" + "".join(
        f"m=video {n} RTP/AVP 96\n" for n in range(1, 259)), 263, "more than 256 flows"),
}

# arguments, part of the message
USAGE = {
    "nothing": ([], "give --flow or --sdp"),
    "no such option": (["--flwo", "x"], "--flwo is no option"),
    "no value": (["--flow"], "--flow wants a value"),
    "a word": (["x"], "what is 'x'?"),
    "fields missing": (["--flow", f"0,{S1},{G1}"], "want PORT,SOURCE,GROUP,UDPPORT[,CLOCKRATE]"),
    "fields too many": (["--flow", f"0,{S1},{G1},1,2,3"], "want PORT,SOURCE,GROUP"),
    "no port": (["--flow", f"eth0,{S1},{G1},5004"], "'eth0' is no id of a DPDK port"),
    "no source": (["--flow", f"0,{G2},{G1},5004"], f"'{G2}' is no IPv6 address of a host"),
    "no group": (["--flow", f"0,{S1},{S2},5004"], f"'{S2}' is no IPv6 multicast address"),
    "no UDP port": (["--flow", f"0,{S1},{G1},0"], "not '0'"),
    "no rate": (["--flow", f"0,{S1},{G1},5004,-1"], "'-1' is no clock rate"),
    "a flow twice": (["--flow", f"0,{S1},{G1},5004"] * 2, "this flow is there already"),
    "no seconds": (["--seconds", "0"], "--seconds: want 1 to 1000000, not '0'"),
    "no legs": (["--legs", "0,x"], "--legs: want 1 to 8 ids of DPDK ports, not 'x'"),
    "no file": (["--sdp", "nowhere.sdp"], "nowhere.sdp: No such file or directory"),
    "a directory": (["--sdp", "."], ".: Is a directory"),
}


@pytest.fixture(scope="module")
def check(example, installation, tmp_path_factory):
    """A function that runs video-rx --check in a directory of its own."""
    directory = tmp_path_factory.mktemp("sdp")
    program = example("video-rx")

    def run(*args, text=None):
        if text is not None:
            (directory / "x.sdp").write_bytes(text.encode("ascii"))
        return subprocess.run([program, "--", "--check", *args], cwd=directory, text=True,
                              env=installation.environment(), capture_output=True, timeout=30,
                              check=False)

    return run


@pytest.mark.parametrize("name", FORMS)
def test_form(check, name):
    text, options, flows = FORMS[name]
    done = check("--sdp", "x.sdp", *options, text=text)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == flows


@pytest.mark.parametrize("name", BAD)
def test_bad_description(check, name):
    """One line says which file, which line of it, and what would be right."""
    text, line, message = BAD[name]
    done = check("--sdp", "x.sdp", text=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"video-rx: x.sdp:{line}: ")
    assert message in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", USAGE)
def test_bad_usage(check, name):
    args, message = USAGE[name]
    done = check(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("video-rx: ") and message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_file_too_long(check):
    done = check("--sdp", "x.sdp", text=GOOD + "a=x\n" * 20000)
    assert done.returncode == 2
    assert done.stderr == "video-rx: x.sdp: longer than 64 KiB\n"


def test_each_cut_of_a_description(check):
    """Whatever a description is cut to, it is taken or refused in a line; none ends in a crash."""
    for end in range(0, len(LEGS), 7):
        done = check("--sdp", "x.sdp", "--legs", "0,1", text=LEGS[:end])
        assert done.returncode in (0, 2), done
        assert done.returncode == 0 or done.stderr.startswith("video-rx: x.sdp:")
