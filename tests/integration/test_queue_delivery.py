"""`huoyan queue init`, `outbox` and `resend` as a user runs them, and a scan that delivers beyond the queue."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from huoyan.config_dispatch import Dispatch
from huoyan.dispatch import places
from huoyan.dispatch.sender import send_once
from huoyan.runs.scan import scan

from ..support import running
from ..support.gates import free_port
from ..support.receivers import SECRET, NatsServer, Receiver, alert, in_order, open_state, put
from ..support.running import huoyan, told


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUOYAN_HTTP_SECRET", SECRET)
    monkeypatch.setitem(running.ENVIRONMENT, "HUOYAN_HTTP_SECRET", SECRET)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


def test_init_from_a_configuration(tmp_path: Path) -> None:
    server = NatsServer(tmp_path / "nats", free_port())
    config = tmp_path / "county.yaml"
    nats = f'{{servers: ["{server.url}"], timeout: 1s, keep: 10d, consumers: [{{name: crew}}]}}'
    config.write_text(f"dispatch:\n  to: [sqlite, nats]\n  nats: {nats}\n", encoding="utf-8")
    away = huoyan("queue", "init", config)
    assert away.returncode == 6 and "nats: failed" in away.stdout and "sqlite: ok" in away.stdout
    server.start()
    try:
        made = huoyan("queue", "init", config)
        assert made.returncode == 0, made.stderr
        assert "stream huoyan-alerts: created" in made.stdout and "consumer crew: created" in made.stdout
        config.write_text(config.read_text().replace("10d", "20d"), encoding="utf-8")
        differs = huoyan("queue", "init", config)
        assert differs.returncode == 6 and "--apply" in differs.stderr
        assert "stream huoyan-alerts: differs: max_age is 864000, configured 1728000" in differs.stdout
        applied = json.loads(huoyan("queue", "init", config, "--apply", "--json").stdout)
        assert {one["subject"]: one["state"] for one in applied}["stream huoyan-alerts"] == "updated"
        assert huoyan("queue", "init", config).returncode == 0
    finally:
        server.kill()


def test_what_was_refused_is_shown_sent_again_and_given_up(tmp_path: Path, receiver: Receiver) -> None:
    state = tmp_path / "state"
    connection = open_state(state)
    settings = Dispatch.model_validate({"to": "http", "http": {"url": f"http://127.0.0.1:{receiver.port}/"}})

    def deliver() -> list[str]:
        return send_once(connection, state, settings, places.remote(settings))

    receiver.answer = lambda alert_id: (422, {}) if alert_id in ("aa.1", "ab.1") else (200, {})
    put(connection, [alert("aa"), alert("ab"), alert("c")])
    assert deliver() == []
    shown = huoyan("queue", "outbox", "--state", state)
    assert "http: 0 waiting, 2 refused" in shown.stdout and "aa.1 refused by http" in shown.stdout
    assert "HTTP 422" in shown.stdout
    for arguments, words in (
        (("a",), "several alerts"),
        (("zz",), "has not refused"),
        ((), "nothing to send again"),
    ):
        wrong = huoyan("queue", "resend", "--to", "http", *arguments, "--state", state)
        assert wrong.returncode == 6 and words in wrong.stderr
    assert huoyan("queue", "resend", "--to", "http", "ab", "--drop", "--state", state).returncode == 0
    assert huoyan("queue", "resend", "--to", "http", "--all", "--state", state).returncode == 0
    receiver.answer = lambda alert_id: (200, {})
    assert deliver() == []
    values = json.loads(huoyan("queue", "outbox", "--state", state, "--json").stdout)
    assert values == {
        "places": [
            {"name": "sqlite", "waiting": 3, "oldest": values["places"][0]["oldest"], "refused": 0},
            {"name": "http", "waiting": 0, "oldest": None, "refused": 0},
        ],
        "refused": [],
    }
    assert receiver.taken == ["c.1", "aa.1"]
    connection.close()


def test_a_scan_delivers_to_other_places_too(tmp_path: Path, samples: Path, receiver: Receiver) -> None:
    """A receiver that is away at first: the scan says so, the next one delivers."""
    import shutil

    county = tmp_path / "county"
    shutil.copytree(samples, county, ignore=shutil.ignore_patterns("drone", "satellite", "gate", "live"))
    config = county / "county.yaml"
    text = config.read_text(encoding="utf-8")
    section = f"{{to: [sqlite, http], http: {{url: 'http://127.0.0.1:{receiver.port}/'}}}}"
    assert "dispatch: {to: sqlite}" in text
    config.write_text(text.replace("{to: sqlite}", section), encoding="utf-8")
    receiver.answer = lambda alert_id: (503, {})
    result = scan(config, state=tmp_path / "state")
    assert result.alerts and any(f"http: {len(result.alerts)} alerts wait" in note for note in result.notes)
    queued = told(tmp_path / "state").ids
    assert len(queued) == len(result.alerts), "the queue has them all the same"
    receiver.answer = lambda alert_id: (200, {})
    again = scan(config, state=tmp_path / "state")
    assert again.frames == 0 and not any("alerts wait" in note for note in again.notes)
    assert sorted(receiver.taken) == queued and in_order(receiver.taken)
