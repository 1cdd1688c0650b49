"""The community's list of duties (职责清单)."""

import pytest

from services.deliberation.domain.duties import may_hand_down
from services.deliberation.policy import Policy, load
from services.intake.catalogue import catalogue


@pytest.mark.parametrize("policy", ["default", "demo"])
def test_what_only_a_department_may_do_is_not_on_the_community_s_list(policy: str) -> None:
    duties = load(policy).duties
    departments = ["BLD.illegal", "BLD.wall", "NOI.construction", "ENV.pollution", "PARK.road", "ELE.wire", "SAF.gas"]
    assert [item for item in departments if may_hand_down(item, duties.community)] == []
    for item in ("FAC.light", "HYG.garbage", "DIS.neighbour", "OTH.other"):
        assert may_hand_down(item, duties.community)


def test_a_class_on_the_list_stands_for_its_items_and_for_no_other() -> None:
    assert may_hand_down("HYG.snow", {"HYG"})
    assert not may_hand_down("HYG.snow", {"HYG.garbage"})
    assert not may_hand_down("HYGIENE.snow", {"HYG"})


def test_the_list_names_only_what_the_catalogue_has() -> None:
    items = {item.code for item in catalogue().items()}
    known = items | {item.split(".")[0] for item in items}
    assert set(load("default").duties.community) <= known


def test_a_policy_saved_before_there_was_a_list_has_the_default_s() -> None:
    body = load("default").model_dump(mode="json", by_alias=True)
    del body["duties"]
    assert Policy.model_validate(body).duties == load("default").duties
