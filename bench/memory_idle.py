"""`memory/idle`: what the whole system takes while nothing happens, with the seed district.

The proportional set size of every process of the tree (Python, PostgreSQL, Java): a page that several share counts
once. Measured when the tree has come to rest after a start.
"""

import asyncio
from statistics import median

import psutil

from bench.row import Row
from bench.running import up
from bench.servers import Bench

NAME = "memory/idle"
GIB = 2**30
REST = 10.0
"""Seconds of rest before the first look, and between two looks a fifth of them."""


def tree_gib(root: psutil.Process) -> float:
    """Sum of the proportional set sizes of a process and all below it."""
    return sum(process.memory_full_info().pss for process in (root, *root.children(recursive=True))) / GIB


async def measure(bench: Bench) -> Row:
    data = await bench.seed_directory()
    found = []
    async with up(data) as (root, _):
        await asyncio.sleep(REST)
        for _ in range(bench.runs):
            await asyncio.sleep(REST / 5)
            found.append(tree_gib(root))
    return Row(NAME, "GiB", median(found), bench.runs, at_most=1.0)
