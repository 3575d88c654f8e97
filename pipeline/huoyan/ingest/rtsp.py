"""A camera over RTSP and TCP: log in, ask for the pictures, then read what comes without ever waiting for it.

FFmpeg's reader makes six system calls and a copy for every packet of every camera, wanted or not: a county's cameras
took a whole core that way. Here the handshake waits (in a thread of its own, with one deadline for all of it), and
after it the socket is emptied a few times a second by whoever has time.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urljoin

from huoyan.ingest.auth import Challenge, Place, dict_of, place
from huoyan.ingest.faults import Fault, of_error, of_status
from huoyan.ingest.rtp import Codec, Depacketiser, Interleaved

_AGENT = "Huoyan"
_READ = 1 << 18
"""Bytes that are read at a time."""
_CODECS: dict[str, Codec] = {"H264": "h264", "H265": "hevc", "HEVC": "hevc"}
_SESSION_S = 60.0
"""A session's life where the server tells none (RFC 2326 §12.37)."""
_REDIRECTS = 3


class Unsupported(Fault):
    """What this reader does not know, and FFmpeg's may."""

    def __init__(self, why: str) -> None:
        super().__init__("unsupported", why)


@dataclass(frozen=True, slots=True)
class Track:
    """The pictures of a session, as its description (SDP) tells."""

    codec: Codec
    control: str
    rate: int
    parameters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """Of a request."""

    status: int
    reason: str
    headers: dict[str, str]
    challenges: list[str]
    body: bytes = b""


class Session:
    """A connection that plays. `log_in` makes it.

    Attributes:
        heard: monotonic seconds at which anything came last.
        pictures: where the key pictures are.
    """

    def __init__(
        self, line: _Line, track: Track, channel: int, alive: tuple[str, str], every_s: float
    ) -> None:
        self.heard = time.monotonic()
        self.pictures = Depacketiser(track.codec, track.parameters, track.rate)
        self._line, self._alive, self._every_s = line, alive, every_s
        self._asked = self.heard
        self._stream = Interleaved(self.pictures, channel, self._answered, time.time)
        self._stream.feed(line.rest, self.heard)
        line.socket.setblocking(False)

    @property
    def skew_s(self) -> float | None:
        """See `Interleaved`."""
        return self._stream.skew_s

    def read(self) -> None:
        """Take in all that has come; never waits.

        Raises:
            Fault: the connection is over.
        """
        now = time.monotonic()
        if now - self._asked > self._every_s:
            self._keep_alive(now)
        try:
            while data := self._line.socket.recv(_READ):
                self.heard = now
                self._stream.feed(data, now)
                if len(data) < _READ:
                    return
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        except OSError as error:
            raise of_error(error) from error
        raise Fault("ended", "the camera ended the stream")

    def close(self) -> None:
        """Say goodbye and hang up; never waits."""
        with contextlib.suppress(OSError):
            self._line.socket.send(self._line.request("TEARDOWN", self._alive[1]))
        self._line.close()

    def _keep_alive(self, now: float) -> None:
        self._asked = now
        with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
            try:
                self._line.socket.send(self._line.request(*self._alive))
            except OSError as error:
                raise of_error(error) from error

    def _answered(self, head: bytes) -> None:
        answer = _parsed(head)
        if answer.status == 401 and answer.challenges:
            # Its nonce has gone stale; the next one will be answered with the new one.
            self._line.challenged(answer.challenges)
            self._asked = 0.0 if not self._line.stale else self._asked
            self._line.stale = True
        elif answer.status == 454:
            raise Fault("ended", "the camera ended the session")
        else:
            self._line.stale = False


class _Line:
    """A socket with the numbers, the session and the account of its requests."""

    def __init__(self, where: Place, deadline: float) -> None:
        self.where, self.deadline = where, deadline
        self.rest = b""
        self.session = ""
        self.stale = False
        self._number = 0
        self._challenge: Challenge | None = None
        made = socket.create_connection((where.host, where.port), timeout=self._left())
        if where.scheme == "rtsps":
            made = _secured(made, where.host)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = made

    def close(self) -> None:
        self.socket.close()

    def challenged(self, lines: list[str]) -> None:
        """Take what the server wants to know of who asks.

        Raises:
            Fault: the address holds no account.
        """
        if self.where.account is None:
            raise Fault("unauthorised", "it asks for user and password")
        self._challenge = Challenge(lines, self.where.account)

    def request(self, method: str, uri: str, *lines: str) -> bytes:
        self._number += 1
        head = [f"{method} {uri} RTSP/1.0", f"CSeq: {self._number}", f"User-Agent: {_AGENT}"]
        if self._challenge is not None:
            head.append(f"Authorization: {self._challenge.answer(method, uri)}")
        if self.session:
            head.append(f"Session: {self.session}")
        return "\r\n".join([*head, *lines, "", ""]).encode()

    def ask(self, method: str, uri: str, *lines: str) -> Answer:
        """Send a request and wait for its answer; says who asks if the server wants to know.

        Raises:
            Fault: the answer is a refusal, or none came in time.
            OSError: the connection broke.
        """
        for again in (False, True):
            self.socket.settimeout(self._left())
            self.socket.sendall(self.request(method, uri, *lines))
            answer = self._answer()
            if answer.status == 401 and answer.challenges and not again:
                self.challenged(answer.challenges)
                continue
            break
        if answer.status >= 300 and answer.status not in (301, 302, 303, 305, 307):
            raise of_status(answer.status, answer.reason)
        return answer

    def _answer(self) -> Answer:
        """The next answer; the packets before it are kept for who reads the pictures."""
        packets: list[bytes] = []
        data = self.rest
        while True:
            while len(data) >= 4 and data[0] == 0x24:
                size = 4 + (data[2] << 8 | data[3])
                if len(data) < size:
                    break
                packets.append(data[:size])
                data = data[size:]
            if data and data[0] != 0x24 and (end := data.find(b"\r\n\r\n")) >= 0:
                answer = _parsed(data[:end])
                length = int(answer.headers.get("content-length") or 0)
                if len(data) >= end + 4 + length:
                    body = data[end + 4 : end + 4 + length]
                    self.rest = b"".join(packets) + data[end + 4 + length :]
                    return Answer(answer.status, answer.reason, answer.headers, answer.challenges, body)
            if len(data) > 1 << 20:
                raise Fault("damaged", "the answer is no RTSP")
            self.socket.settimeout(self._left())
            more = self.socket.recv(_READ)
            if not more:
                raise Fault("ended", "the camera hung up during the login")
            data += more

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise Fault("timeout", "the login took too long")
        return left


def log_in(address: str, open_s: float, stopped: Callable[[], bool] = lambda: False) -> Session:
    """Connect, say who asks, and let the camera play.

    Args:
        address: rtsp:// or rtsps://, with its account.
        open_s: seconds for all of it.
        stopped: asked between the steps: nobody wants it any more.

    Raises:
        Fault: it did not work out; `Unsupported` where another reader may.
    """
    deadline = time.monotonic() + open_s
    where = place(address)
    for _ in range(_REDIRECTS):
        line: _Line | None = None
        try:
            line = _Line(where, deadline)
            found = _played(line, where, stopped)
            if isinstance(found, Session):
                line = None
                return found
        except (OSError, ValueError) as error:
            raise of_error(error) from error
        finally:
            if line is not None:
                line.close()
        onward = place(found)
        # The account belongs to this host; another one is not told it.
        same = onward.host == where.host
        where = Place(
            onward.address,
            onward.scheme,
            onward.host,
            onward.port,
            onward.account or (where.account if same else None),
        )
    raise Fault("failed", "the camera sends us from one address to the next")


def _played(line: _Line, where: Place, stopped: Callable[[], bool]) -> Session | str:
    """The session, or the address that the camera sends us to."""
    options = line.ask("OPTIONS", where.address)
    described = line.ask("DESCRIBE", where.address, "Accept: application/sdp")
    if described.status >= 300:
        return urljoin(where.address, described.headers.get("location", ""))
    if stopped():
        raise Fault("ended", "nobody wants it any more")
    base = described.headers.get("content-base") or described.headers.get("content-location") or where.address
    track, whole = read_description(described.body.decode("utf-8", "replace"), urljoin(where.address, base))
    transport = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
    set_up = line.ask("SETUP", track.control, transport)
    line.session, _, parameters = set_up.headers.get("session", "").partition(";")
    offered = re.search(r"interleaved=(\d+)", set_up.headers.get("transport", ""))
    life = dict_of(parameters).get("timeout", "")
    every_s = max(5.0, (float(life) if life.isdigit() and int(life) else _SESSION_S) / 2)
    line.ask("PLAY", whole, "Range: npt=0.000-")
    alive = "GET_PARAMETER" if "GET_PARAMETER" in options.headers.get("public", "") else "OPTIONS"
    return Session(line, track, int(offered[1]) if offered else 0, (alive, whole), every_s)


def read_description(sdp: str, base: str) -> tuple[Track, str]:
    """The first pictures that an SDP offers, and the address that PLAY takes.

    Args:
        sdp: session description (RFC 4566).
        base: address that relative ones are meant from.

    Raises:
        Fault: there are no pictures in it.
        Unsupported: none of a codec that we know.
    """
    whole, codecs = base, set()
    head, *media = re.split(r"(?m)^(?=m=)", sdp)
    if (control := _attribute(head, "control")) and control != "*":
        whole = _joined(base, control)
    for part in media:
        if not part.startswith("m=video"):
            continue
        mapped = re.search(r"(?m)^a=rtpmap:(\d+)\s+([\w.-]+)/(\d+)", part)
        name = mapped[2].upper() if mapped else "?"
        codecs.add(name)
        if mapped is None or name not in _CODECS:
            continue
        form = re.search(rf"(?m)^a=fmtp:{mapped[1]}\s+(.*)$", part)
        control = _attribute(part, "control") or ""
        return (
            Track(
                _CODECS[name], _joined(base, control), int(mapped[3]), _parameters(form[1] if form else "")
            ),
            whole,
        )
    if codecs:
        raise Unsupported(f"its pictures are {', '.join(sorted(codecs))}")
    raise Fault("no_pictures", "the stream holds no pictures")


def _joined(base: str, control: str) -> str:
    """A control address, relative to the base: appended, as cameras mean it, also where the base has a query."""
    if not control or control == "*":
        return base
    if "://" in control:
        return control
    return f"{base if base.endswith('/') else base + '/'}{control.lstrip('/')}"


def _attribute(part: str, name: str) -> str | None:
    found = re.search(rf"(?m)^a={name}:(.*?)\s*$", part)
    return found[1].strip() if found else None


def _parameters(form: str) -> tuple[bytes, ...]:
    """NAL units of the parameter sets in a format line."""
    units = []
    for entry in form.split(";"):
        key, _, value = entry.strip().partition("=")
        if key in ("sprop-parameter-sets", "sprop-vps", "sprop-sps", "sprop-pps"):
            for packed in value.split(","):
                with contextlib.suppress(binascii.Error, ValueError):
                    units.append(base64.b64decode(packed + "=" * (-len(packed) % 4)))
    return tuple(unit for unit in units if unit)


def _parsed(head: bytes) -> Answer:
    """
    Raises:
        Fault: it is no answer of RTSP.
    """
    first, *lines = head.decode("utf-8", "replace").split("\r\n")
    begun = re.match(r"RTSP/\d\.\d\s+(\d{3})\s*(.*)", first)
    if begun is None:
        raise Fault("damaged", "the answer is no RTSP")
    headers: dict[str, str] = {}
    challenges = []
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = value
        if name == "www-authenticate":
            challenges.append(value)
    return Answer(int(begun[1]), begun[2].strip(), headers, challenges)


def _secured(plain: socket.socket, host: str) -> socket.socket:
    """TLS. Cameras sign their certificates themselves, so it keeps out listeners, not impostors."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(plain, server_hostname=host)
    except BaseException:
        plain.close()
        raise
