"""Serve video files as endless RTSP streams, as cameras do: for trying out, tests and benchmarks.

H.264 and H.265 go out as they are in the file, never encoded again, so many streams cost little. Runs with the system's
Python, which has GStreamer (Debian: `python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good
gstreamer1.0-plugins-bad`):

    /usr/bin/python3 scripts/serve_rtsp.py --port 8554 street.mp4 site.mp4
    /usr/bin/python3 scripts/serve_rtsp.py --port 8554 --copies 214 --prefix cam --shared *.mp4

A file `street.mp4` is at rtsp://127.0.0.1:8554/street; with `--copies 214` there are cam000 to cam213, which take the
files in turn. A line `ready PORT STREAMS` tells that it serves. Lines on standard input play the faults of cameras,
each answered by a line: `freeze NAME` (one can log in, but no picture comes), `kill NAME` (connections cut, the address
unknown), `restore NAME`, `clients`; NAME may be `*`.
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

log = logging.getLogger("serve_rtsp")
CODECS = {"video/x-h264": "h264", "video/x-h265": "h265"}
_WHOLE = Gst.BufferCopyFlags.FLAGS | Gst.BufferCopyFlags.MEMORY
_AHEAD = 5
"""Pictures that are handed over at a time."""


@dataclass
class Film:
    """The pictures of a file, encoded, in the order of decoding."""

    codec: str
    buffers: list[Any] = field(default_factory=list)
    caps: Any = None
    length: int = 0
    """Nanoseconds after which it starts again."""


def read(path: Path) -> Film:
    """Read a whole file into memory.

    Raises:
        SystemExit: it holds no H.264 or H.265 that can be read.
    """
    pipeline = Gst.parse_launch("filesrc name=file ! parsebin name=parse appsink name=sink sync=false")
    pipeline.get_by_name("file").set_property("location", str(path))
    sink = pipeline.get_by_name("sink")
    film = Film("")

    def added(_parse: Any, pad: Any) -> None:
        codec = CODECS.get(pad.query_caps(None).get_structure(0).get_name())
        if codec is None or film.codec:
            other = Gst.ElementFactory.make("fakesink")
            pipeline.add(other)
            other.sync_state_with_parent()
            pad.link(other.get_static_pad("sink"))
            return
        film.codec = codec
        parse = Gst.ElementFactory.make(f"{codec}parse")
        wanted = Gst.ElementFactory.make("capsfilter")
        form = f"video/x-{codec},stream-format=byte-stream,alignment=au"
        wanted.set_property("caps", Gst.Caps.from_string(form))
        for element in (parse, wanted):
            pipeline.add(element)
        parse.link(wanted)
        wanted.link(sink)
        for element in (parse, wanted):
            element.sync_state_with_parent()
        pad.link(parse.get_static_pad("sink"))

    pipeline.get_by_name("parse").connect("pad-added", added)
    pipeline.set_state(Gst.State.PLAYING)
    while sample := sink.emit("try-pull-sample", 10 * Gst.SECOND):
        film.buffers.append(sample.get_buffer())
        film.caps = sample.get_caps()
    pipeline.set_state(Gst.State.NULL)
    if not film.buffers:
        raise SystemExit(f"{path}: no H.264 or H.265 in it that can be read")
    shown = sorted(buffer.pts for buffer in film.buffers)
    film.length = shown[-1] - shown[0] + (shown[-1] - shown[0]) // max(1, len(shown) - 1)
    return film


class Factory(GstRtspServer.RTSPMediaFactory):  # type: ignore[misc]
    """Makes the stream of a film; one for all who ask if it is shared, else one for each address."""

    def __init__(self, film: Film, shared: bool, *, mute: bool = False) -> None:
        super().__init__()
        self.film, self.key = film, f"film {id(film)}" if shared else ""
        self.mute = mute
        self.reels: list[tuple[Reel, Any]] = []
        self.set_shared(True)
        # Cameras do not stop when nobody looks; a media that is suspended would have to preroll for each client.
        self.set_suspend_mode(GstRtspServer.RTSPSuspendMode.NONE)

    def do_gen_key(self, url: Any) -> str:
        return self.key or str(url.abspath)

    def do_create_element(self, url: Any) -> Any:
        codec = self.film.codec
        made = Gst.parse_launch(
            f"( appsrc name=source format=time is-live=false max-buffers=10 block=false "
            f"! rtp{codec}pay name=pay0 pt=96 config-interval=-1 mtu=1400 )"
        )
        source = made.get_by_name("source")
        source.set_property("caps", self.film.caps)
        reel = Reel(self.film, self.mute)
        source.connect("need-data", reel.turn)
        if self.mute:
            self.reels.append((reel, source))
        return made

    def speak(self) -> None:
        """No longer mute: give pictures to who has waited for them."""
        self.mute = False
        for reel, source in self.reels:
            reel.speak(source)
        self.reels.clear()


class Reel:
    """Gives one media its pictures, again and again; times only grow."""

    def __init__(self, film: Film, mute: bool) -> None:
        self.film, self.at, self.shift = film, 0, -min(buffer.pts for buffer in film.buffers)
        self.mute = mute

    def turn(self, source: Any, _wanted: int) -> None:
        if self.mute:
            if self.at == 0:
                # Without any a media is never ready to be described: the one after the key picture, of no use alone.
                self.at = min(2, len(self.film.buffers) - 1)
                source.emit("push-buffer", self.film.buffers[self.at - 1])
            return
        for _ in range(_AHEAD):
            kept = self.film.buffers[self.at]
            # Another buffer over the same bytes; `copy` would give the same one again.
            buffer = kept.copy_region(_WHOLE, 0, kept.get_size())
            buffer.pts = kept.pts + self.shift
            buffer.dts = max(0, kept.dts + self.shift) if kept.dts != Gst.CLOCK_TIME_NONE else buffer.pts
            buffer.duration = kept.duration
            self.at += 1
            if self.at == len(self.film.buffers):
                self.at, self.shift = 0, self.shift + self.film.length
            if source.emit("push-buffer", buffer) != Gst.FlowReturn.OK:
                return

    def speak(self, source: Any) -> None:
        """Begin now, from the start."""
        running = source.get_clock().get_time() - source.get_base_time() if source.get_clock() else 0
        self.mute, self.at, self.shift = False, 0, running - self.film.buffers[0].pts
        self.turn(source, 0)


class Server:
    """The streams by name, and the faults that are played."""

    def __init__(self, port: int, account: tuple[str, str] | None) -> None:
        self.server = GstRtspServer.RTSPServer()
        self.server.set_address("127.0.0.1")
        self.server.set_service(str(port))
        self.server.set_backlog(512)
        self.mounts = self.server.get_mount_points()
        self.factories: dict[str, Factory] = {}
        self.frozen: dict[str, Factory] = {}
        self.clients: dict[Any, set[str]] = {}
        self.lock = threading.Lock()
        if account:
            self._ask_for(*account)
        self.server.connect("client-connected", self._connected)

    def add(self, name: str, factory: Factory) -> None:
        self.factories[name] = factory
        self._mount(name, factory)

    def _mount(self, name: str, factory: Factory) -> None:
        if self.server.get_auth() is not None:
            factory.add_role_from_structure(
                Gst.Structure.new_from_string(
                    "user, media.factory.access=(boolean)true, media.factory.construct=(boolean)true"
                )
            )
        self.mounts.add_factory(f"/{name}", factory)

    def start(self) -> int:
        """Serve; the port."""
        if self.server.attach(None) == 0:
            raise SystemExit(f"cannot listen on port {self.server.get_service()}")
        GLib.timeout_add_seconds(5, self._clean)
        return int(self.server.get_bound_port())

    def order(self, line: str) -> str:
        """Do what a control line says; the answer."""
        verb, _, which = line.strip().partition(" ")
        if verb == "clients":
            with self.lock:
                return f"clients {len(self.clients)}"
        names = list(self.factories) if which == "*" else [which]
        if verb not in ("freeze", "kill", "restore") or any(name not in self.factories for name in names):
            return f"unknown {line.strip()}"
        for name in names:
            getattr(self, verb)(name)
        return f"done {line.strip()}"

    def freeze(self, name: str) -> None:
        if name not in self.frozen:
            self.frozen[name] = Factory(self.factories[name].film, False, mute=True)
            self._mount(name, self.frozen[name])
            self._state(name, Gst.State.PAUSED)

    def kill(self, name: str) -> None:
        self.frozen.pop(name, None)
        self.mounts.remove_factory(f"/{name}")
        with self.lock:
            watching = [client for client, names in self.clients.items() if name in names]
        for client in watching:
            client.close()

    def restore(self, name: str) -> None:
        mute = self.frozen.pop(name, None)
        self.mounts.add_factory(f"/{name}", self.factories[name])
        self._state(name, Gst.State.PLAYING)
        if mute is not None:
            mute.speak()

    def _state(self, name: str, state: Any) -> None:
        """Set the state of whoever watches a stream; others that share its pictures go on."""

        def media(_session: Any, media: Any) -> Any:
            if media.matches(f"/{name}")[0]:
                media.set_state(state)
            return GstRtspServer.RTSPFilterResult.KEEP

        def session(_pool: Any, session: Any) -> Any:
            session.filter(media)
            return GstRtspServer.RTSPFilterResult.KEEP

        self.server.get_session_pool().filter(session)

    def _ask_for(self, user: str, password: str) -> None:
        auth = GstRtspServer.RTSPAuth()
        auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
        token = GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        self.server.set_auth(auth)

    def _connected(self, _server: Any, client: Any) -> None:
        with self.lock:
            self.clients[client] = set()
        client.connect("closed", self._closed)
        client.connect("play-request", self._played)

    def _closed(self, client: Any) -> None:
        with self.lock:
            self.clients.pop(client, None)

    def _played(self, client: Any, context: Any) -> None:
        with self.lock:
            if client in self.clients:
                self.clients[client].add(context.uri.abspath.strip("/").split("/")[0])

    def _clean(self) -> bool:
        self.server.get_session_pool().cleanup()
        return True


def main() -> None:
    parser = argparse.ArgumentParser(description="Serve video files as endless RTSP streams.")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--port", type=int, default=8554, help="0: any free one, told by the ready line")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--copies", type=int, help="so many streams, taking the files in turn")
    parser.add_argument("--prefix", default="cam", help="of the copies' names")
    parser.add_argument("--shared", action="store_true", help="streams of one file share its pictures")
    options = parser.parse_args()
    Gst.init(None)
    server = Server(options.port, (options.user, options.password) if options.user else None)
    films = [read(path) for path in options.files]
    if options.copies:
        names = [f"{options.prefix}{number:03}" for number in range(options.copies)]
    else:
        names = [path.stem for path in options.files]
    factories = [Factory(film, options.shared) for film in films]
    for number, name in enumerate(names):
        server.add(name, factories[number % len(factories)])
    port = server.start()
    print(f"ready {port} {len(names)}", flush=True)
    loop = GLib.MainLoop()

    def answer(line: str) -> bool:
        print(server.order(line), flush=True)
        return False

    def listen() -> None:
        for line in sys.stdin:
            GLib.idle_add(answer, line)

    threading.Thread(target=listen, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
