"""The door through which messages come in, whatever carried them: checked, written down, and only then acknowledged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from huoyan.config_gate import Gate
from huoyan.files import write_whole
from huoyan.gate import ga1400, messages
from huoyan.gate.book import Book, Taken
from huoyan.gate.codec import Message
from huoyan.gate.messages import BadMessage, Kind
from huoyan.passage import Direction

PICTURES = "gate/pictures"
_PICTURE_KINDS = ((b"\xff\xd8\xff", "jpg"), (b"\x89PNG\r\n", "png"))


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message."""

    message_id: str
    taken: Taken


class Intake:
    """Takes messages in. Safe to call from any thread.

    Args:
        book: where they are written.
        gates: whose devices may send.
        zone: of clocks that tell no offset.
        woken: called after each new message.
        now: the clock that stamps them.
        replay: messages are of the time that they tell, whenever they come.
    """

    def __init__(
        self,
        book: Book,
        gates: Sequence[Gate],
        zone: ZoneInfo,
        *,
        woken: Callable[[], None] = lambda: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        replay: bool = False,
    ) -> None:
        self.book, self.zone, self.now = book, zone, now
        self._replay = replay
        self._woken = woken
        self._gates: dict[str, dict[str, str]] = {"weighing": {}, "washing": {}, "smart": {}}
        self._directions: dict[str, Mapping[str, Direction]] = {}
        for gate in gates:
            if gate.scale is not None:
                self._gates["weighing"][gate.scale.device] = gate.id
            if gate.wash is not None:
                self._gates["washing"][gate.wash.device] = gate.id
            for smart in gate.smart:
                self._gates["smart"][smart.device] = gate.id
                ways: dict[str, Direction] = dict.fromkeys(smart.enter, "enter")
                self._directions[smart.device] = {**ways, **dict.fromkeys(smart.leave, "leave")}

    def take(
        self,
        kind: Kind,
        raw: bytes,
        *,
        gate_id: str | None = None,
        received: datetime | None = None,
        prompt: bool = True,
    ) -> Receipt:
        """Take a weighing or a washing in; when this returns it is on the disk.

        Args:
            kind: by path or topic.
            raw: the body.
            gate_id: by the topic, if it tells.
            received: when it came; default now.
            prompt: it came at once, so it tells how the device's clock goes.

        Raises:
            BadMessage: it cannot be used.
            StorageError: it could not be written; the sender must keep it.
        """
        message = messages.parse(kind, raw, received or self.now(), gate_id)
        gate = self._gate_of(kind, message.device_id, "device_id")
        if message.gate_id and message.gate_id != gate:
            raise BadMessage(
                f"expected {gate!r}, the gate of {message.device_id}, got {message.gate_id!r}",
                subject="gate_id",
            )
        return self._write(replace(message, gate_id=gate), received is not None, prompt)

    def take_push(
        self, raw: bytes, *, received: datetime | None = None, prompt: bool = True
    ) -> list[Receipt]:
        """Take the passages of a smart camera's push in, pictures first.

        Raises:
            BadMessage: something of it cannot be used; then nothing is taken.
            StorageError, OSError: it could not be written.
        """
        when = received or self.now()
        pushed = ga1400.parse(raw, when, self.zone, self._directions)
        gates = [self._gate_of("smart", one.passage.device_id, "DeviceID") for one in pushed]
        found = []
        for one, gate in zip(pushed, gates, strict=True):
            pictures = tuple(self._picture(data, when) for data in one.pictures)
            message = replace(one.passage, gate_id=gate, pictures=pictures)
            found.append(self._write(message, received is not None, prompt))
        return found

    def refuse(self, sender: str, error: BadMessage) -> None:
        """Note a message that could not be used."""
        self.book.refuse(self.now(), sender, error.code, str(error))

    def _gate_of(self, kind: str, device: str, field: str) -> str:
        known = self._gates[kind]
        if device not in known:
            names = ", ".join(sorted(known)) or "none is configured"
            raise BadMessage(
                f"expected a device that sends this ({names}), got {device!r}",
                subject=field,
                code="unknown_device",
            )
        return known[device]

    def _write(self, message: Message, stamped: bool, prompt: bool) -> Receipt:
        if self._replay and not stamped:
            message, prompt = replace(message, received=message.time), False
        taken = self.book.take_message(message, prompt=prompt)
        if taken == "new":
            self._woken()
        return Receipt(message.message_id, taken)

    def _picture(self, data: bytes, when: datetime) -> str:
        """Store a picture by its content; the path relative to the state folder."""
        suffix = next((suffix for magic, suffix in _PICTURE_KINDS if data.startswith(magic)), None)
        if suffix is None:
            raise BadMessage(
                "expected a JPEG or PNG picture", subject="SubImageInfoObject.Data", code="picture"
            )
        name = hashlib.sha256(data).hexdigest()[:32]
        href = f"{PICTURES}/{when.astimezone(self.zone):%Y%m%d}/{name}.{suffix}"
        path = self.book.folder / href
        if not path.is_file():
            write_whole(path, data)
        return href


def feed(intake: Intake, lines: Sequence[Mapping[str, Any]]) -> int:
    """Take in messages on file, each `{"received": ISO time, "path": "/v1/weighing", "body": {…}}`; how many were new.

    Raises:
        BadMessage: one cannot be used.
    """
    new = 0
    for line in lines:
        raw, path = messages.dumps(line["body"]), line["path"]
        received = datetime.fromisoformat(line["received"])
        if path == ga1400.PATH:
            receipts = intake.take_push(raw, received=received)
        else:
            receipts = [intake.take(kind_of(path), raw, received=received)]
        new += sum(receipt.taken == "new" for receipt in receipts)
    return new


def kind_of(path: str) -> Kind:
    """The kind of message that a path `/v1/<kind>` takes.

    Raises:
        BadMessage: 404, there is no such path.
    """
    for kind in messages.KINDS:
        if path == f"/v1/{kind}":
            return kind
    raise BadMessage(
        "expected /v1/weighing, /v1/washing or /VIID/MotorVehicles", subject=path, code="path", status=404
    )
