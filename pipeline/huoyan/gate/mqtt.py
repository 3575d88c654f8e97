"""Messages over MQTT 5: a session that the broker keeps while we are away, acknowledged message by message.

A message is acknowledged (QoS 1) only when it is on the disk. The session outlives us, so what was published while the
gate was down comes when it is back. A broker that is gone is tried again for ever, after pauses from 1 s to 60 s.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import TYPE_CHECKING, Any

from huoyan.config_gate import MqttIntake
from huoyan.config_types import seconds
from huoyan.errors import ConfigError, MissingExtra, StorageError
from huoyan.gate import messages
from huoyan.gate.intake import Intake
from huoyan.gate.messages import BadMessage

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessage

log = logging.getLogger("huoyan.gate.mqtt")
FRESH_S = 5.0
"""After connecting the broker first sends what it kept: how long that was under way says nothing of clocks."""
_PAUSES_S = (1, 60)
_KEEPALIVE_S = 15
_QOS = 1


class Subscriber:
    """A running subscription.

    Attributes:
        connected: whether the broker is there now.
        why: why not, in words; empty while it is.
    """

    def __init__(self, settings: MqttIntake, intake: Intake) -> None:
        """Set up; `start` connects.

        Raises:
            MissingExtra: paho-mqtt is not installed.
            ConfigError: an environment variable for user or password is named and not set.
        """
        self.settings, self.intake = settings, intake
        self.connected, self.why = False, "not connected yet"
        self._since = time.monotonic()
        self._stopping = threading.Event()
        self._prefix = settings.topic.removesuffix("#").strip("/").split("/")
        self._client = self._made(settings)

    def start(self) -> None:
        """Connect in the background; returns at once, whether the broker is there or not."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        keep = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        keep.SessionExpiryInterval = int(seconds(self.settings.keep))
        self._client.connect_async(
            self.settings.host, self.settings.port, _KEEPALIVE_S, clean_start=False, properties=keep
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Leave the broker; it keeps the session for us."""
        self._stopping.set()
        self._client.disconnect()
        self._client.loop_stop()

    def _made(self, settings: MqttIntake) -> Client:
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
        except ImportError as error:
            raise MissingExtra.named("paho-mqtt", "mqtt") from error
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=settings.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.reconnect_delay_set(*_PAUSES_S)
        if settings.user_env is not None:
            password = _secret(settings.password_env) if settings.password_env else None
            client.username_pw_set(_secret(settings.user_env), password)
        if settings.tls:
            client.tls_set(ca_certs=settings.ca)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _on_connect(self, client: Client, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._lost(f"the broker refuses: {code}")
            return
        self._since = time.monotonic()
        self.connected, self.why = True, ""
        # Also where the session is there still: the topic may be a new one.
        client.subscribe(self.settings.topic, qos=_QOS)
        log.info("connected to %s:%d", self.settings.host, self.settings.port)

    def _on_connect_fail(self, _client: Client, _userdata: Any) -> None:
        self._lost("no broker answers")

    def _on_disconnect(
        self, _client: Client, _userdata: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        if not self._stopping.is_set():
            self._lost(f"the connection broke: {code}")

    def _lost(self, why: str) -> None:
        if self.connected or why != self.why:
            log.warning("%s:%d: %s; trying again", self.settings.host, self.settings.port, why)
        self.connected, self.why = False, why

    def _on_message(self, client: Client, _userdata: Any, message: MQTTMessage) -> None:
        while not self._stopping.is_set():
            try:
                self._take(message)
            except BadMessage as error:
                # Nobody hears an answer here: it is noted, and must not come again for ever.
                log.warning("%s: %s", message.topic, error)
                self._noted(message.topic, error)
            except (StorageError, OSError) as error:
                # Not acknowledged while the disk is full; the broker keeps it.
                log.error("a message could not be written, trying again: %s", error)
                self._stopping.wait(1.0)
                continue
            client.ack(message.mid, message.qos)
            return

    def _take(self, message: MQTTMessage) -> None:
        gate, kind = self._meant(message.topic)
        prompt = time.monotonic() - self._since >= FRESH_S and not message.retain
        self.intake.take(kind, bytes(message.payload), gate_id=gate, prompt=prompt)

    def _meant(self, topic: str) -> tuple[str, messages.Kind]:
        """Gate and kind that a topic names."""
        levels = topic.split("/")
        rest = levels[len(self._prefix) :]
        kind = next((kind for kind in messages.KINDS if len(rest) == 2 and rest[1] == kind), None)
        if kind is None:
            expected = "/".join([*self._prefix, "<gate>", "weighing|washing"])
            raise BadMessage(f"expected {expected}", subject=topic, code="topic")
        return rest[0], kind

    def _noted(self, topic: str, error: BadMessage) -> None:
        try:
            self.intake.refuse(f"mqtt {topic}"[:200], error)
        except StorageError:
            log.exception("the refusal could not be noted")


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise ConfigError(
            "this environment variable is not set",
            subject=f"intake.mqtt {variable}",
            hint="set it, or leave it out",
        )
    return value
