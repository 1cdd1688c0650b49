"""职责清单: what a community may be given to do. A department does not hand its own statutory duty down to a grid."""

from collections.abc import Collection


def may_hand_down(category: str, community: Collection[str]) -> bool:
    """Whether a task about an item (`HYG.garbage`) may go to a grid: the community's list names it, or its class."""
    return category in community or category.split(".")[0] in community
