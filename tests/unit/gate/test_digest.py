"""Digest authentication: the example of RFC 7616, and what is refused."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import pytest

from huoyan.gate import digest
from huoyan.gate.digest import REALM, Digest, Verdict

USER, PASSWORD, TARGET = "camera", "Circle of Life", "/VIID/MotorVehicles"
# RFC 7616, 3.9.1.
RFC = {
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "nc": "00000001",
    "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    "qop": "auth",
    "uri": "/dir/index.html",
}


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Camera:
    """Answers challenges as RFC 7616 says."""

    lock: Digest
    user: str = USER
    password: str = PASSWORD
    algorithm: str = "SHA-256"
    nonce: str = field(init=False)
    counter: int = 0

    def __post_init__(self) -> None:
        self.ask()

    def ask(self) -> None:
        (challenge,) = [c for c in self.lock.challenges() if f"algorithm={self.algorithm}" in c]
        self.nonce, self.counter = re.findall(r'nonce="(.*?)"', challenge)[0], 0

    def answer(self, **other: str) -> str:
        self.counter += 1
        fields = {
            "username": self.user,
            "realm": REALM,
            "nonce": self.nonce,
            "uri": TARGET,
            "qop": "auth",
            "nc": f"{self.counter:08x}",
            "cnonce": "0a4f113b",
            "algorithm": self.algorithm,
        } | other
        account = digest.hashed(self.algorithm, f"{self.user}:{REALM}:{self.password}")
        fields = {"response": digest.response(self.algorithm, account, "POST", fields), **fields}
        bare = ("qop", "nc", "algorithm")
        return ", ".join(f"{k}={v}" if k in bare else f'{k}="{v}"' for k, v in fields.items())

    def try_it(self, **other: str) -> Verdict:
        return self.lock.judge("POST", TARGET, self.answer(**other))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lock(clock: Clock) -> Digest:
    return Digest(USER, PASSWORD, lifetime_s=300, clock=clock)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_example_of_the_standard(algorithm: str, expected: str) -> None:
    account = digest.hashed(algorithm, "Mufasa:http-auth@example.org:Circle of Life")
    assert digest.response(algorithm, account, "GET", RFC) == expected


@pytest.mark.parametrize("algorithm", ["SHA-256", "MD5"])
def test_the_right_password_opens_again_and_again(lock: Digest, algorithm: str) -> None:
    camera = Camera(lock, algorithm=algorithm)
    assert [camera.try_it() for _ in range(3)] == [Verdict.RIGHT] * 3


def test_a_camera_that_names_no_algorithm_means_md5(lock: Digest) -> None:
    camera = Camera(lock, algorithm="MD5")
    assert lock.judge("POST", TARGET, camera.answer().replace(", algorithm=MD5", "")) is Verdict.RIGHT


@pytest.mark.parametrize(
    "wrong",
    [{"user": "other"}, {"password": "guess"}, {"user": ""}],
)
def test_another_account_opens_nothing(lock: Digest, wrong: dict[str, str]) -> None:
    assert Camera(lock, **wrong).try_it() is Verdict.WRONG  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        {"uri": "/v1/weighing"},
        {"realm": "elsewhere"},
        {"qop": "auth-int"},
        {"nc": "1"},
        {"algorithm": "SHA-512-256"},
    ],
)
def test_an_answer_to_something_else_opens_nothing(lock: Digest, other: dict[str, str]) -> None:
    assert Camera(lock).try_it(**other) is Verdict.WRONG


def test_an_answer_for_another_method_opens_nothing(lock: Digest) -> None:
    assert lock.judge("PUT", TARGET, Camera(lock).answer()) is Verdict.WRONG


def test_what_was_sent_once_opens_no_second_time(lock: Digest) -> None:
    camera = Camera(lock)
    heard = camera.answer()
    assert lock.judge("POST", TARGET, heard) is Verdict.RIGHT
    assert lock.judge("POST", TARGET, heard) is Verdict.STALE
    assert camera.try_it() is Verdict.RIGHT
    assert camera.try_it(nc="00000001") is Verdict.STALE


def test_an_old_nonce_is_stale_and_a_new_one_opens(lock: Digest, clock: Clock) -> None:
    camera = Camera(lock)
    clock.now += 299
    assert camera.try_it() is Verdict.RIGHT
    clock.now += 2
    assert camera.try_it() is Verdict.STALE
    assert "stale=true" in lock.challenges(stale=True)[0]
    camera.ask()
    assert camera.try_it() is Verdict.RIGHT


@pytest.mark.parametrize("nonce", ["", "x", "..", f"{10**9 * 1000:x}.00.{'0' * 32}", "Ω.Ω.Ω"])
def test_a_nonce_of_somebody_else_is_stale(lock: Digest, nonce: str) -> None:
    """Of this gate before it was started again, say: with the right password it is asked anew."""
    assert Camera(lock).try_it(nonce=nonce) is Verdict.STALE


def test_counters_are_forgotten_only_with_their_nonces(
    lock: Digest, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digest, "_REMEMBERED", 3)
    cameras = []
    for _ in range(3):
        cameras.append(Camera(lock))
        assert cameras[-1].try_it() is Verdict.RIGHT
    late = Camera(lock)
    assert late.try_it() is Verdict.STALE
    assert cameras[0].try_it(nc="00000001") is Verdict.STALE
    clock.now += 301
    late.ask()
    assert late.try_it() is Verdict.RIGHT


@pytest.mark.parametrize(
    "credentials",
    ["", "x", 'username="camera', "username=a, username=b", 'a="b" c="d"', "=", ",,,", 'username="\\'],
)
def test_rubbish_is_no_header(lock: Digest, credentials: str) -> None:
    assert digest.parse(credentials) == {}
    assert lock.judge("POST", TARGET, credentials) is Verdict.WRONG


def test_quoted_strings_and_their_backslashes() -> None:
    assert digest.parse(r'username="a \"b\", c", nc=00000001 ,cnonce=""') == {
        "username": 'a "b", c',
        "nc": "00000001",
        "cnonce": "",
    }
