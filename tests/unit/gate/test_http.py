"""The HTTP endpoint: what is acknowledged is on the disk; whoever sends rubbish costs little."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from huoyan.config_gate import HttpIntake
from huoyan.errors import ConfigError, StorageError
from huoyan.gate.http import Server

from ...support.gates import BEGIN, TOKEN, post, push, washing, weighing
from .conftest import World

JPEG = b"\xff\xd8\xff" + bytes(range(256))


@pytest.fixture
def server(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HUOYAN_GATE_TOKEN", TOKEN)
    server = Server(HttpIntake(listen="127.0.0.1:0", timeout="1s", connections=4), world.intake)
    server.start()
    yield server
    server.stop()


def send(server: Server, path: str, body: object, **more: Any) -> tuple[int, Any]:
    return post(server.address[1], path, body, **more)


def raw(server: Server, data: bytes) -> bytes:
    with socket.create_connection(server.address, timeout=5) as connection:
        connection.sendall(data)
        answer = b""
        while part := connection.recv(4096):
            answer += part
    return answer


def test_a_message_is_written_before_it_is_acknowledged(server: Server, world: World) -> None:
    body = weighing(1, BEGIN, 29400)
    assert send(server, "/v1/weighing", body) == (201, {"message_id": "s1", "taken": "new"})
    assert [w.message.message_id for w in world.book.waiting("north", "weighing")] == ["s1"]
    assert send(server, "/v1/weighing", body) == (200, {"message_id": "s1", "taken": "repeated"})
    assert send(server, "/v1/washing", washing(1, BEGIN, 25))[0] == 201
    assert world.book.counts()["messages"] == 2


def test_a_push_answers_as_the_standard_asks_and_stores_its_pictures(server: Server, world: World) -> None:
    images = {"SubImageInfoObject": [{"ImageID": "1", "Data": base64.b64encode(JPEG).decode()}]}
    status, answer = send(server, "/VIID/MotorVehicles", push(1, BEGIN, "浙D3C916", SubImageList=images))
    (state,) = answer["ResponseStatusListObject"]["ResponseStatusObject"]
    assert (status, state["Id"], state["StatusCode"]) == (200, "m1", "0")
    (waiting,) = world.book.waiting("north", "smart")
    (href,) = waiting.message.pictures  # type: ignore[union-attr]
    assert (world.book.folder / href).read_bytes() == JPEG


def test_a_push_of_rubbish_is_answered_in_the_same_manner(server: Server) -> None:
    for body, code in ((b"{", "7"), (push(1, BEGIN, "浙D3C916", DeviceID="stranger"), "8")):
        status, answer = send(server, "/VIID/MotorVehicles", body)
        (state,) = answer["ResponseStatusListObject"]["ResponseStatusObject"]
        assert status in (400, 422) and state["StatusCode"] == code
    assert "smart-1" in state["StatusString"] and "stranger" in state["StatusString"]


def test_cameras_that_register_first_are_let_in(server: Server) -> None:
    for path in ("/VIID/System/Register", "/VIID/System/Keepalive"):
        assert send(server, path, {"RegisterObject": {"DeviceID": "smart-1"}})[0] == 200


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/v1/weighing", {**weighing(1, BEGIN, 1.0), "kg": "x"}, 422, "kg"),
        ("/v1/weighing", {**weighing(1, BEGIN, 1.0), "device_id": "wash-1"}, 422, "device_id"),
        ("/v1/weighing", {**weighing(1, BEGIN, 1.0), "gate_id": "south"}, 422, "gate_id"),
        ("/v1/weighing", b"not json", 400, ""),
        ("/v1/weighing", b" " * 70_000, 413, "body"),
        ("/v1/nothing", {}, 404, "/v1/nothing"),
    ],
)
def test_mistakes_are_told_by_field_and_noted(
    server: Server, world: World, path: str, body: object, status: int, field: str
) -> None:
    told, answer = send(server, path, body)
    assert (told, answer["error"]["field"]) == (status, field)
    ((_, sender, _, reason),) = world.book.refused()
    assert sender.startswith("http 127.0.0.1 ") and reason
    assert world.book.counts()["messages"] == 0


@pytest.mark.parametrize("token", [None, "wrong", TOKEN + "x"])
def test_without_the_token_nothing_is_taken_nor_noted(
    server: Server, world: World, token: str | None
) -> None:
    assert send(server, "/v1/weighing", weighing(1, BEGIN, 1.0), token=token)[0] == 401
    assert world.book.counts()["messages"] == world.book.counts()["refused"] == 0


def test_a_disk_that_cannot_be_written_is_no_acknowledgement(
    server: Server, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(world.book, "take_message", full)
    assert send(server, "/v1/weighing", weighing(1, BEGIN, 1.0))[0] == 503
    monkeypatch.undo()
    assert send(server, "/v1/weighing", weighing(1, BEGIN, 1.0))[0] == 201


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Transfer-Encoding: chunked", b"411"),
        (b"", b"411"),
        (b"Content-Length: -5", b"411"),
        (b"Content-Length: 99999999999", b"413"),
    ],
)
def test_bodies_of_unknown_or_endless_length(server: Server, head: bytes, status: bytes) -> None:
    lines = [b"POST /v1/weighing HTTP/1.1", b"Host: x", f"Authorization: Bearer {TOKEN}".encode()]
    answer = raw(server, b"\r\n".join([*lines, *([head] if head else []), b"", b""]))
    assert answer.startswith(b"HTTP/1.1 " + status)


def test_a_body_that_never_comes_is_given_up(server: Server, world: World) -> None:
    begun = time.monotonic()
    head = f"POST /v1/weighing HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 500\r\n\r\n{{"
    assert raw(server, head.encode()) == b""
    assert time.monotonic() - begun < 4
    assert send(server, "/v1/weighing", weighing(1, BEGIN, 1.0))[0] == 201


def test_more_connections_than_allowed_are_turned_away_and_come_later(server: Server) -> None:
    idle = [socket.create_connection(server.address) for _ in range(4)]
    time.sleep(0.2)
    assert send(server, "/v1/weighing", weighing(1, BEGIN, 1.0))[0] == 0
    for connection in idle:
        connection.close()
    time.sleep(0.3)
    assert send(server, "/v1/weighing", weighing(1, BEGIN, 1.0))[0] == 201


def test_many_at_once_each_count_once(server: Server, world: World) -> None:
    statuses: list[int] = []

    def sender(start: int) -> None:
        for number in range(start, start + 10):
            body = weighing(number, BEGIN, 1000.0 + number)
            while (status := send(server, "/v1/weighing", body)[0]) == 0:
                time.sleep(0.01)
            statuses.append(status)

    # Each number is sent by two senders.
    threads = [threading.Thread(target=sender, args=(start,)) for start in (0, 5, 10, 0, 5, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(set(statuses)) == [200, 201] and statuses.count(201) == 20
    assert world.book.counts()["messages"] == 20


def test_health_needs_no_token(server: Server) -> None:
    answer = raw(server, b"GET /v1/health HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200") and json.loads(answer.split(b"\r\n\r\n")[1]) == {"status": "ok"}


def test_beyond_loopback_a_token_is_needed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="expected a token"):
        Server(HttpIntake(listen="0.0.0.0:0", token_env=None), world.intake)
    monkeypatch.delenv("HUOYAN_GATE_TOKEN", raising=False)
    with pytest.raises(ConfigError, match="not set"):
        Server(HttpIntake(listen="127.0.0.1:0"), world.intake)


@pytest.fixture
def account(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("HUOYAN_GATE_TOKEN", TOKEN)
    monkeypatch.setenv("CAMERA", "摄像机")
    monkeypatch.setenv("CAMERA_PASSWORD", 'a "long" one')
    settings = HttpIntake(listen="127.0.0.1:0", user_env="CAMERA", password_env="CAMERA_PASSWORD")
    server = Server(settings, world.intake)
    server.start()
    yield server
    server.stop()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(("user", "status"), [('摄像机:a "long" one', "200"), ("摄像机:another", "401")])
def test_a_camera_that_knows_digest_authentication(
    account: Server, world: World, user: str, status: str
) -> None:
    """curl is the camera: it has never heard of us, and sends a picture larger than what sockets hold."""
    picture = base64.b64encode(JPEG * 16_000).decode()
    body = json.dumps(
        push(1, BEGIN, "浙D3C916", SubImageList={"SubImageInfoObject": [{"ImageID": "1", "Data": picture}]})
    )
    address = f"http://127.0.0.1:{account.address[1]}/VIID/MotorVehicles?from=1"
    done = subprocess.run(
        ["curl", "-s", "--digest", "-u", user, "-o", "-", "-w", "\n%{http_code}", "-d", "@-", address],
        input=body.encode(),
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.decode().splitlines()[-1] == status
    assert len(world.book.waiting("north", "smart")) == (status == "200")


def test_what_is_refused_is_read_so_that_the_sender_sees_the_challenges(account: Server) -> None:
    body = b"x" * 8_000_000
    head = f"POST /VIID/MotorVehicles HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = raw(account, head.encode() + body).decode()
    assert answer.startswith("HTTP/1.1 401")
    challenges = [line for line in answer.splitlines() if line.startswith("WWW-Authenticate: ")]
    assert [line.split()[1] for line in challenges] == ["Digest", "Digest", "Bearer"]
    assert "SHA-256" in challenges[0] and "MD5" in challenges[1]


def test_the_token_still_opens_beside_an_account(account: Server) -> None:
    assert send(account, "/v1/weighing", weighing(1, BEGIN, 1.0))[0] == 201
    assert send(account, "/v1/weighing", weighing(2, BEGIN, 1.0), token="wrong")[0] == 401


def test_an_account_without_password_is_a_mistake(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="user_env and password_env go together"):
        HttpIntake(user_env="CAMERA")
    monkeypatch.setenv("CAMERA", "one")
    monkeypatch.delenv("CAMERA_PASSWORD", raising=False)
    settings = HttpIntake(
        listen="0.0.0.0:0", token_env=None, user_env="CAMERA", password_env="CAMERA_PASSWORD"
    )
    with pytest.raises(ConfigError, match="password_env CAMERA_PASSWORD"):
        Server(settings, world.intake)


def test_an_address_that_is_taken(server: Server, world: World) -> None:
    with pytest.raises(ConfigError, match=f"intake.http.listen 127.0.0.1:{server.address[1]}: cannot listen"):
        Server(HttpIntake(listen=f"127.0.0.1:{server.address[1]}"), world.intake)
