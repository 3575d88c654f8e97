"""The tables of the gate's book; those of the log are in `log`."""

from __future__ import annotations

TABLES = """
CREATE TABLE IF NOT EXISTS messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    digest TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    gate_id TEXT NOT NULL,
    device_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    received_ms INTEGER NOT NULL,
    prompt INTEGER NOT NULL,
    body TEXT NOT NULL,
    event_id TEXT
);
CREATE INDEX IF NOT EXISTS messages_by_key ON messages (key);
CREATE INDEX IF NOT EXISTS messages_waiting ON messages (gate_id, kind) WHERE event_id IS NULL;
CREATE INDEX IF NOT EXISTS messages_of_event ON messages (event_id);
CREATE TABLE IF NOT EXISTS passages (
    passage_id TEXT PRIMARY KEY,
    gate_id TEXT NOT NULL,
    source_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    fresh INTEGER NOT NULL,
    body TEXT NOT NULL,
    event_id TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS passages_fresh ON passages (gate_id) WHERE fresh;
CREATE INDEX IF NOT EXISTS passages_of_event ON passages (event_id);
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY,
    gate_id TEXT NOT NULL,
    time_ms INTEGER NOT NULL,
    plate TEXT NOT NULL,
    site TEXT,
    direction TEXT NOT NULL,
    revision INTEGER NOT NULL,
    told INTEGER NOT NULL DEFAULT 0,
    ended INTEGER NOT NULL,
    document TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS events_by_time ON events (gate_id, time_ms);
CREATE INDEX IF NOT EXISTS events_by_plate ON events (plate, time_ms);
CREATE INDEX IF NOT EXISTS events_untold ON events (time_ms) WHERE told < revision;
CREATE TABLE IF NOT EXISTS clocks (
    device_id TEXT NOT NULL, received_ms INTEGER NOT NULL, offset_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS clocks_by_device ON clocks (device_id, received_ms);
CREATE TABLE IF NOT EXISTS refused (
    time_ms INTEGER NOT NULL, sender TEXT NOT NULL, code TEXT NOT NULL, reason TEXT NOT NULL
);
"""
