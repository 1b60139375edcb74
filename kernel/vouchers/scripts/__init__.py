"""The Lua scripts; the stock's prelude, then this folder's, is put in front of each."""

from functools import cache
from importlib.resources import files


@cache
def source(script: str) -> str:
    ours = files(__package__)
    prelude = (files("kernel.stock.scripts") / "prelude.lua").read_text("utf-8")
    return prelude + (ours / "prelude.lua").read_text("utf-8") + (ours / f"{script}.lua").read_text("utf-8")
