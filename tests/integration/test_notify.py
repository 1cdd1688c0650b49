"""Telling people, end to end: events of cases in, messages at the sandbox's telephones."""

from tests.world import World


async def test_the_reporter_and_the_holder_are_told_when_a_case_opens(world: World) -> None:
    issue = await world.report()

    assert await issue.told() == [("assigned", "P016"), ("received", "resident")]
