"""Accounts: found in addresses, told as the standards want it, never shown."""

from __future__ import annotations

import pytest

from huoyan.ingest.auth import Account, Challenge, dict_of, place
from huoyan.ingest.faults import Fault
from huoyan.sources.live import without_password


@pytest.mark.parametrize(
    ("address", "user", "password", "left"),
    [
        ("rtsp://10.0.0.4/1", None, None, "rtsp://10.0.0.4/1"),
        ("rtsp://admin:pw@10.0.0.4:8554/1?a=b", "admin", "pw", "rtsp://10.0.0.4:8554/1?a=b"),
        ("rtsp://admin:p@ss@10.0.0.4/1", "admin", "p@ss", "rtsp://10.0.0.4/1"),
        ("rtsp://10.0.0.4:554/a@b", None, None, "rtsp://10.0.0.4:554/a@b"),
        ("rtsp://admin:p%40ss%2Fw@10.0.0.4/1", "admin", "p@ss/w", "rtsp://10.0.0.4/1"),
        ("http://10.0.0.4/snap@night.jpg", None, None, "http://10.0.0.4/snap@night.jpg"),
        ("rtsp://admin:@[fe80::1]/1", "admin", "", "rtsp://[fe80::1]/1"),
    ],
)
def test_addresses_are_taken_apart(address: str, user: str | None, password: str | None, left: str) -> None:
    where = place(address)
    assert where.address == left
    assert where.account == (None if user is None else Account(user, password or ""))
    assert "pw" not in repr(where) and "p@ss" not in repr(where)


@pytest.mark.parametrize("address", ["rtsp://", "rtsp://user:pw@", "rtsp://host:port/1"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(Fault) as caught:
        place(address)
    assert caught.value.code == "address" and "pw" not in caught.value.why


def test_basic() -> None:
    asked = Challenge(['Basic realm="cam"'], Account("Aladdin", "open sesame"))
    assert asked.answer("GET", "/") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="


def test_digest_as_in_rfc_2617_without_qop() -> None:
    # What a player and a camera said to each other, computed by hand from the definition.
    asked = Challenge(
        ['Digest realm="IP Camera", nonce="abc", algorithm="MD5"', 'Basic realm="IP Camera"'],
        Account("admin", "12345"),
    )
    told = dict_of(asked.answer("DESCRIBE", "rtsp://h/1"))
    assert told["username"] == "admin" and told["uri"] == "rtsp://h/1"
    from hashlib import md5

    whose = md5(b"admin:IP Camera:12345").hexdigest()
    what = md5(b"DESCRIBE:rtsp://h/1").hexdigest()
    assert told["response"] == md5(f"{whose}:abc:{what}".encode()).hexdigest()


def test_digest_of_rfc_7616_with_qop_and_sha_256(monkeypatch: pytest.MonkeyPatch) -> None:
    # The example of RFC 7616 §3.9.1.
    monkeypatch.setattr("secrets.token_hex", lambda _count: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")
    asked = Challenge(
        [
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, '
            'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
            'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
            'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="x", opaque="y"',
        ],
        Account("Mufasa", "Circle of Life"),
    )
    told = dict_of(asked.answer("GET", "/dir/index.html"))
    assert told["response"] == "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    assert (told["nc"], told["qop"], told["algorithm"]) == ("00000001", "auth", "SHA-256")


def test_an_unknown_scheme_is_told() -> None:
    with pytest.raises(Fault) as caught:
        Challenge(["Negotiate"], Account("u", "p"))
    assert caught.value.code == "unsupported"


@pytest.mark.parametrize(
    "text",
    [
        "cannot open rtsp://admin:hush@10.0.0.4/1",
        "http://admin:hu@hush@10.0.0.4/1 moved",
        "http://10.0.0.4/snap.cgi?user=admin&pwd=hush&x=1",
        "rtsp://10.0.0.4/user=admin_password=hush_channel=1_stream=0.sdp",
    ],
)
def test_passwords_are_taken_out_of_texts(text: str) -> None:
    assert "hush" not in without_password(text) and "10.0.0.4" in without_password(text)
