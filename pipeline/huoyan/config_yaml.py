"""YAML whose lines are known, so that a mistake is told with its line."""

from __future__ import annotations

from typing import Any

import yaml

from huoyan.errors import ConfigError


def read(text: str, name: str) -> tuple[yaml.Node | None, dict[str, Any]]:
    """The nodes, which know their lines, and the values."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigError(
            f"not valid YAML: {getattr(error, 'problem', error)}", subject=where, hint="mend the line"
        ) from error
    except ValueError as error:
        # Of the reader of dates: 2026-13-01 without quotes.
        raise ConfigError(f"not valid YAML: {error}", subject=name, hint="put it in quotes") from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise ConfigError(
            f"expected keys such as county and cameras, got {type(data).__name__}", subject=name
        )
    return tree, data


def repeated_keys(tree: yaml.Node | None) -> list[tuple[int, str]]:
    """Line and name of every key that its mapping holds already: YAML would silently take the last."""
    found: list[tuple[int, str]] = []
    waiting, visited = [tree], set[int]()
    while waiting:
        node = waiting.pop()
        # Through an alias a node may be met again, even inside itself.
        if id(node) in visited:
            continue
        visited.add(id(node))
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    found.append((key.start_mark.line + 1, str(key.value)))
                seen.add(key.value)
                waiting.append(value)
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return found


def line_of(node: yaml.Node | None, where: tuple[Any, ...]) -> int:
    """1-based line of the deepest node on a path of keys and indices that exists in a YAML tree."""
    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
