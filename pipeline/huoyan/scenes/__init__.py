"""The rules: what counts as a scene, where, how long, and what makes it lawful."""

from __future__ import annotations

from huoyan.scenes.judge import JudgeContext, Judgement, judge
from huoyan.scenes.loading import Alternative, Rules, build, load, with_shipped
from huoyan.scenes.memory import Memory
from huoyan.scenes.trace import Step

__all__ = [
    "Alternative",
    "JudgeContext",
    "Judgement",
    "Memory",
    "Rules",
    "Step",
    "build",
    "judge",
    "load",
    "with_shipped",
]
