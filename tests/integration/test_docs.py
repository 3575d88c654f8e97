"""Documentation that cannot rot: commands, options, links, tables and the notebook are held against the code."""

from __future__ import annotations

import ast
import base64
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from pydantic import BaseModel

import huoyan
from huoyan import errors
from huoyan.alerts import schema
from huoyan.cli.main import app
from huoyan.config import Config
from huoyan.errors import HuoyanError

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
NOTEBOOK = ROOT / "docs" / "tour.ipynb"
COMMAND = re.compile(r"huoyan((?: [^\s`|#();]+)+)")


def commands() -> dict[tuple[str, ...], click.Command]:
    """Every command and group by its words."""
    found: dict[tuple[str, ...], click.Command] = {}

    def walk(command: click.Command, words: tuple[str, ...]) -> None:
        found[words] = command
        for name, child in getattr(command, "commands", {}).items():
            walk(child, (*words, name))

    walk(typer.main.get_command(app), ())
    return found


COMMANDS = commands()


def mentioned(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Commands that a page shows: in code blocks and in `code`."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"```[a-z]*\n(.*?)```", text, re.S)
    lines = [line for block in blocks for line in block.splitlines()]
    # A block that is indented shows commands too, and a table cell shows its options as `--option` after it.
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.S))
    for line in lines:
        if line.lstrip().startswith("huoyan "):
            match = COMMAND.match(line.lstrip())
            assert match is not None
            yield line, match[1].split()


def command_of(words: list[str]) -> tuple[tuple[str, ...], click.Command]:
    name: tuple[str, ...] = ()
    for word in words:
        if (*name, word) not in COMMANDS:
            break
        name = (*name, word)
    return name, COMMANDS[name]


def options_of(command: click.Command) -> set[str]:
    return {"--help", *(name for parameter in command.params for name in parameter.opts)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path) -> None:
    for line, words in mentioned(page):
        name, command = command_of(words)
        assert name or words[0].startswith("-"), f"{page.name}: no such command: {line}"
        if isinstance(command, click.Group):
            # `huoyan queue list|show|export`, `huoyan models …`: what follows must be commands of the group.
            following = [w for w in words[len(name) :] if not w.startswith("-")]
            for word in (part for w in following[:1] for part in w.split("|")):
                assert (*name, word) in COMMANDS or not word.isidentifier(), f"{page.name}: {line}"
        for word in words:
            option = word.partition("=")[0].rstrip(",.]")
            if option.startswith("-") and option.strip("-"):
                assert option in options_of(command), f"{page.name}: {line}: no option {option}"


def test_pages_mention_commands() -> None:
    shown = {command_of(words)[0] for page in PAGES for _, words in mentioned(page)}
    for name in ("scan", "init", "check", "calibrate", "explain"):
        assert (name,) in shown, f"no page shows huoyan {name}"
    assert ("queue", "list") in shown


@pytest.mark.parametrize("name", sorted(COMMANDS), ids=" ".join)
def test_every_command_and_option_has_help(name: tuple[str, ...]) -> None:
    command = COMMANDS[name]
    assert (command.help or "").strip(), f"huoyan {' '.join(name)} has no help"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert (parameter.help or "").strip(), f"huoyan {' '.join(name)} {parameter.opts}: no help"


def anchors(page: Path) -> set[str]:
    heads = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def links(page: Path) -> list[str]:
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return re.findall(r"\]\(([^)\s]+)\)", text)


@pytest.mark.parametrize("page", [*PAGES, NOTEBOOK], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = link.partition("#")
        target = page if not path else (page.parent / path)
        assert target.exists(), f"{page.name}: {link} leads nowhere"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link} has no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_pages_exist(page: Path) -> None:
    named = re.findall(
        r"`((?:docs|scripts|configs|tests|models)/[\w./-]+\.(?:md|py|yaml|ipynb|json))`",
        page.read_text(encoding="utf-8"),
    )
    for name in named:
        assert (ROOT / name).exists(), f"{page.name}: {name} does not exist"


# ------------------------------------------------------------------------------------------- configuration
def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key of the configuration; a list's entries are `cameras[].id`; a pose is told as one."""
    found: set[str] = set()
    for name, field in model.model_fields.items():
        inner = [field.annotation, *getattr(field.annotation, "__args__", ())]
        nested = next((t for t in inner if isinstance(t, type) and issubclass(t, BaseModel)), None)
        if nested is None or nested.__name__ == "Pose":
            found.add(prefix + name)
        else:
            listed = "[]" if getattr(field.annotation, "__origin__", None) is list else ""
            found |= keys_of(nested, f"{prefix}{name}{listed}.")
    return found


def documented_keys() -> dict[str, str]:
    """Key to the default that the table tells; `.overlap` after `satellite.window` is `satellite.overlap`."""
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for row in re.findall(r"^\| (`.+)\|$", text, re.M):
        cells = [cell.strip() for cell in row.split("|")]
        keys = re.findall(r"`([^`]+)`", cells[0])
        defaults = [one.strip().strip("`") for one in cells[1].split(",")]
        defaults = defaults if len(defaults) == len(keys) else defaults * len(keys)
        prefix = keys[0].rpartition(".")[0]
        for key, default in zip(keys, defaults, strict=False):
            found[prefix + key if key.startswith(".") else key] = default
    return found


def test_the_table_of_keys_is_the_models() -> None:
    assert set(documented_keys()) == keys_of(Config)


def value_at(key: str) -> Any:
    """A key's default; of a section that is left out by default, what it holds where it is given."""
    value: Any = Config()
    for part in key.split("."):
        kind = type(value).model_fields[part].annotation
        value = getattr(value, part)
        if value is None:
            optional = [
                t for t in getattr(kind, "__args__", ()) if isinstance(t, type) and issubclass(t, BaseModel)
            ]
            value = optional[0]() if optional else None
    return value


@pytest.mark.parametrize("key", sorted(key for key in keys_of(Config) if "[]" not in key))
def test_the_table_tells_the_defaults(key: str) -> None:
    told, value = documented_keys()[key], value_at(key)
    if value is None or value == []:
        assert told in ("–", "shipped", "all", "each with the one before", "each date with the one before"), (
            key
        )
    elif isinstance(value, bool):
        assert told == str(value).lower(), key
    elif isinstance(value, int | float):
        assert float(told) == value, key
    else:
        shown = ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
        assert told == shown, key


def test_keys_of_a_pose_are_told() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    from huoyan.config import Pose

    assert ", ".join(Pose.model_fields) in text


# ------------------------------------------------------------------------------------- exit codes and schema
def test_exit_codes_are_told_as_they_are() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").partition("## Exit codes")[2]
    rows = {
        int(code): meaning for code, meaning in re.findall(r"(?:^|; )(\d+) ([^;]+)", " ".join(text.split()))
    }
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, HuoyanError)]
    assert set(rows) == {0, 130} | {kind.exit_code for kind in kinds}
    words = {2: "configuration", 3: "input", 4: "model", 5: "storage", 6: "queue", 7: "package"}
    for code, word in words.items():
        assert word in rows[code], f"exit code {code} is told as {rows[code]!r}"


def test_the_alert_schema_is_current_and_told() -> None:
    text = (ROOT / "docs" / "alert-schema.md").read_text(encoding="utf-8")
    properties = set(schema.Properties.model_fields)
    table = text.partition("## Feature")[2].partition("## Evidence")[0]
    told = {key for row in re.findall(r"^\| (`[^|]+) \|", table, re.M) for key in re.findall(r"`(\w+)`", row)}
    assert told == properties
    roles = re.findall(
        r"`(\w+)`", " ".join(re.findall(r"^\| (`[^|]+) \|", text.partition("## Evidence")[2], re.M))
    )
    picture = schema.Picture.model_fields["role"].annotation
    assert set(getattr(picture, "__args__", ())) <= set(roles)


# ----------------------------------------------------------------------------------------------- Python API
def test_the_page_of_names_lists_them_all() -> None:
    text = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.M)
    assert sorted([*rows, "__version__"]) == huoyan.__all__


def test_the_code_of_the_readme_uses_what_there_is() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    used = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Attribute)]
    names = {node.attr for node in used if isinstance(node.value, ast.Name) and node.value.id == "huoyan"}
    assert names and names <= set(huoyan.__all__)
    methods = {n.attr for n in used if isinstance(n.value, ast.Name) and n.value.id == "result"}
    assert methods and all(hasattr(huoyan.ScanResult, method) for method in methods)


# ------------------------------------------------------------------------------------------------- notebook
@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return found


def test_the_notebook_is_executed_and_small(cells: list[dict[str, Any]]) -> None:
    assert NOTEBOOK.stat().st_size <= 1_500_000
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert not [o for o in outputs if o.get("name") == "stderr"], "warnings are shown"
    pictures = [o["data"]["image/jpeg"] for o in outputs if "image/jpeg" in o.get("data", {})]
    assert len(pictures) >= 2
    assert all(len(base64.b64decode(picture)) < 300_000 for picture in pictures)
    text = json.dumps(outputs)
    assert not re.search(r"/(?:home|root|tmp|work)/", text), "a path of the machine is shown"


def test_the_notebook_runs(cells: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("geopandas")
    pytest.importorskip("supervision")
    monkeypatch.chdir(NOTEBOOK.parent)
    monkeypatch.setitem(os.environ, "MPLBACKEND", "Agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    for number, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            source = "".join(cell["source"])
            ast.parse(source)
            exec(compile(source, f"{NOTEBOOK.name}, cell {number}", "exec"), names)
    assert names["again"].frames == 0
    assert len(names["alerts"]) >= 1
    assert len(names["back"]) == len(names["result"].alerts)
