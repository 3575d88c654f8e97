"""What is shipped beside the package, held against the tools that read it, and against the code."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from huoyan.ops import metrics
from huoyan.ops.http import PATHS, TOKEN

from ...support.statuses import status

ROOT = Path(__file__).resolve().parents[3]
UNIT = ROOT / "packaging" / "systemd" / "huoyan-watch.service"
RULES = ROOT / "packaging" / "prometheus" / "huoyan.rules.yml"
CONTAINER = ROOT / "packaging" / "container" / "Containerfile"
PAGE = ROOT / "docs" / "operations.md"


def names() -> set[str]:
    """All metrics that a daemon with something of everything gives, as queries name them."""
    families = text_string_to_metric_families(metrics.render(status()))
    return {sample.name for family in families for sample in family.samples}


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: {package})")
    return found


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "huoyan"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(
        UNIT.read_text(encoding="utf-8").replace("/opt/huoyan/bin/huoyan", str(program)), encoding="utf-8"
    )
    checked = subprocess.run(
        [tool("systemd-analyze", "systemd"), "verify", "--man=no", str(unit)], capture_output=True, text=True
    )
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_unit_is_a_small_target() -> None:
    command = [tool("systemd-analyze", "systemd"), "security", "--offline=yes", "--threshold=20", str(UNIT)]
    checked = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "SYSTEMD_COLORS": "0"}
    )
    if "Unknown" in checked.stderr or "unrecognized" in checked.stderr:
        pytest.skip("this systemd-analyze cannot judge a file (before 250)")
    assert checked.returncode == 0, checked.stdout[-400:] + checked.stderr


def test_the_units_commands_are_ours() -> None:
    from typer.main import get_command

    from huoyan.cli.main import app

    watch = get_command(app).commands["watch"].commands  # type: ignore[attr-defined]
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(UNIT, encoding="utf-8")
    service = parser["Service"]
    assert service["Type"] == "notify"
    start, again = service["ExecStart"].split(), service["ExecReload"].split()
    assert start[1] == "watch" and again[1:3] == ["watch", "reload"]
    known = {option for parameter in watch["run"].params for option in parameter.opts}
    assert {word for word in start if word.startswith("--")} <= known
    # The watchdog waits longer than the loop may for a database that is in use.
    assert int(service["WatchdogSec"].rstrip("s")) >= 30


def test_prometheus_takes_the_rules() -> None:
    checked = subprocess.run(
        [tool("promtool", "prometheus"), "check", "rules", str(RULES)], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_rules_ask_for_what_there_is() -> None:
    [group] = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    known = names()
    for rule in group["rules"]:
        asked = set(re.findall(r"\bhuoyan_\w+", rule["expr"]))
        assert asked <= known, rule
    page = PAGE.read_text(encoding="utf-8")
    told = {rule["alert"] for rule in group["rules"] if "alert" in rule}
    assert told == set(re.findall(r"\bHuoyan[A-Z]\w+", page))


def test_the_page_tells_every_metric() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| metrics (`huoyan_…`)") : page.index("The share that passes the gate")]
    told = {
        f"huoyan_{name}"
        for row in table.splitlines()[2:]
        if row.startswith("|")
        for name in re.findall(r"`(\w+)`", row.split("|")[1])
    }
    known = {re.sub(r"_(bucket|sum|count)$", "", name) for name in names()}
    assert told == known


def test_the_container_asks_pages_that_there_are() -> None:
    text = CONTAINER.read_text(encoding="utf-8")
    asked = re.findall(r"http://127\.0\.0\.1:(\d+)(/\w+)", text)
    assert [path for _, path in asked] == ["/healthz"]
    assert set(re.findall(r"EXPOSE (\d+)", text)) == {asked[0][0]}
    assert "/healthz" in PATHS and TOKEN in text
    assert re.search(r"^USER 10001", text, re.M)
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.M):
        for name in source.split():
            assert (ROOT / name).exists(), name
