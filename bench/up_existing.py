"""`up/existing`: seconds from `chuishao up` on an existing directory with the seed district to the `ready` line."""

from bench.row import Row, median_of
from bench.running import up
from bench.servers import Bench

NAME = "up/existing"


async def measure(bench: Bench) -> Row:
    data = await bench.seed_directory()

    async def seconds() -> float:
        async with up(data) as (_, found):
            return found

    return Row(NAME, "s", await median_of(bench.runs, seconds), bench.runs, at_most=8)
