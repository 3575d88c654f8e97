"""Alerts to a broker over MQTT 5: QoS 1, one at a time, each waited for until the broker has it.

Topic `<topic>/<scene>/<priority>`, content type `application/cloudevents+json`, user properties `alert_id`,
`incident_id`, `revision`, `scene`, `priority`. Who subscribes tells repeats by `alert_id`.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from huoyan.config_dispatch import Mqtt
from huoyan.config_types import seconds
from huoyan.dispatch import secret
from huoyan.dispatch.protocol import Away, Parcel, Refused
from huoyan.errors import MissingExtra

if TYPE_CHECKING:
    from paho.mqtt.client import Client

CONTENT_TYPE = "application/cloudevents+json"
_KEEPALIVE_S = 15
_FAILED = 0x80
# Reason codes of a PUBACK that blame the message: topic name invalid, packet too large, payload format invalid.
_REFUSALS = frozenset({0x90, 0x95, 0x99})
_CUTS = 3
_UNSAFE = re.compile(r"[+#/\x00-\x20]")
_HEADROOM = 1024
"""Bytes of a packet beside payload and topic: properties."""


class MqttBroker:
    """A connection that is made anew whenever it is lost; the caller waits between attempts."""

    name = "mqtt"

    def __init__(self, settings: Mqtt) -> None:
        """
        Raises:
            MissingExtra: paho-mqtt is not installed.
            ConfigError: an environment variable is not set, or the authority's file cannot be used.
        """
        try:
            import paho.mqtt.client  # noqa: F401
        except ImportError as error:
            raise MissingExtra.named("paho-mqtt", "mqtt") from error
        self._settings, self._timeout = settings, seconds(settings.timeout)
        self._where = f"{settings.host}:{settings.port}"
        self._user = secret.optional(settings.user_env, "mqtt.user_env")
        self._password = secret.optional(settings.password_env, "mqtt.password_env")
        self._trust = secret.trust(settings.ca, "mqtt.ca") if settings.tls else None
        self._line: _Line | None = None
        self._cut = ""

    def connect(self) -> None:
        if self._line is None or self._line.lost:
            self.close()
            self._line = _Line(self._client())
            self._line.open(self._settings.host, self._settings.port, self._timeout, self._where)

    def deliver(self, parcel: Parcel, now: datetime) -> None:
        for _ in range(_CUTS):
            self.connect()
            code = self._published(parcel)
            if code is not None:
                break
            # Brokers refuse some messages by breaking the connection, and say so in codes that are none of a message's.
            # One that takes us back at once and breaks again is not away.
        else:
            raise Refused(f"the connection breaks whenever it is sent: {self._cut}", subject=self._where)
        if code.value in _REFUSALS:
            raise Refused(f"the broker refuses: {code}", subject=self._where)
        if code.value >= _FAILED:
            raise Away(f"the broker refuses: {code}", subject=self._where)

    def _published(self, parcel: Parcel) -> Any:
        """The broker's reason code; None: the connection broke.

        Raises:
            Away: no acknowledgement in time.
            Refused: it is too long.
        """
        line = self._line
        if line is None:
            raise Away("the connection was closed", subject=self._where)
        payload = parcel.document.encode()
        topic = "/".join((self._settings.topic, _UNSAFE.sub("_", parcel.scene) or "_", str(parcel.priority)))
        if len(payload) + len(topic) + _HEADROOM > line.largest:
            raise Refused(
                f"{len(payload)} bytes; the broker takes packets of {line.largest} bytes at most",
                subject=self._where,
            )
        code = line.publish(topic, payload, _properties(parcel), self._timeout)
        if code is not None:
            return code
        if not line.lost:
            self.close()
            raise Away("the broker does not acknowledge in time", subject=self._where)
        self._cut = line.lost
        return None

    def close(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _client(self) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._settings.client_id or "",
            protocol=MQTTProtocolVersion.MQTTv5,
            # A message must not be sent by a connection that nobody waits for any more.
            reconnect_on_failure=False,
        )
        client.connect_timeout = self._timeout
        if self._user is not None:
            client.username_pw_set(self._user, self._password)
        if self._trust is not None:
            client.tls_set_context(self._trust)
        return client


class _Line:
    """One connection from its beginning to its end."""

    def __init__(self, client: Client) -> None:
        self.lost, self.largest = "", 268_435_455
        """Why there is no connection (empty while there is one); most bytes of a packet (the protocol's own bound)."""
        self._client = client
        self._told = threading.Condition()
        self._ready, self._codes = False, dict[int, Any]()
        client.on_connect, client.on_disconnect = self._on_connect, self._on_disconnect
        client.on_publish = self._on_publish

    def open(self, host: str, port: int, timeout: float, where: str) -> None:
        try:
            self._client.connect(host, port, _KEEPALIVE_S, clean_start=True)
        except (OSError, ValueError) as error:
            self.lost = f"no broker answers: {getattr(error, 'strerror', None) or error}"
            raise Away(self.lost, subject=where) from error
        self._client.loop_start()
        with self._told:
            self._told.wait_for(lambda: self._ready or self.lost, timeout)
            if not self._ready:
                self.lost = self.lost or "the broker says nothing"
                raise Away(self.lost, subject=where)

    def publish(self, topic: str, payload: bytes, properties: Any, timeout: float) -> Any:
        """The broker's reason code; None: it has not acknowledged."""
        told = self._client.publish(topic, payload, qos=1, properties=properties)
        until = time.monotonic() + timeout
        with self._told:
            while told.mid not in self._codes and not self.lost and time.monotonic() < until:
                self._told.wait(until - time.monotonic())
            return self._codes.pop(told.mid, None)

    def close(self) -> None:
        with self._told:
            self.lost = self.lost or "closed"
            self._told.notify_all()
        with contextlib.suppress(OSError, ValueError):
            self._client.disconnect()
        self._client.loop_stop()

    def _on_connect(self, _client: Client, _userdata: Any, _flags: Any, code: Any, properties: Any) -> None:
        with self._told:
            if code.is_failure:
                self.lost = f"the broker refuses: {code}"
            else:
                self._ready = True
                self.largest = getattr(properties, "MaximumPacketSize", self.largest)
            self._told.notify_all()

    def _on_disconnect(
        self, _client: Client, _userdata: Any, _flags: Any, code: Any, _properties: Any
    ) -> None:
        with self._told:
            self.lost = self.lost or f"the connection broke: {code}"
            self._told.notify_all()

    def _on_publish(self, _client: Client, _userdata: Any, mid: int, code: Any, _properties: Any) -> None:
        with self._told:
            self._codes[mid] = code
            self._told.notify_all()


def _properties(parcel: Parcel) -> Any:
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.ContentType = CONTENT_TYPE
    properties.UserProperty = [
        ("alert_id", parcel.alert_id),
        ("incident_id", parcel.incident_id),
        ("revision", str(parcel.revision)),
        ("scene", parcel.scene),
        ("priority", str(parcel.priority)),
    ]
    return properties
