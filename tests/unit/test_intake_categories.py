"""The catalogue of categories, and what a sound one is."""

from typing import Any

import pytest

from services.intake.catalogue import catalogue
from services.intake.domain.categories import BadCatalogueError, parse_catalogue
from shared.contracts.labels import UNDELIBERABLE, is_deliberable

URGENT = ["WAT.leak", "HEAT.cold", "HEAT.outage", "ELE.outage", "LIFT.fault"]
EMERGENCY = ["SAF.gas", "SAF.fire", "LIFT.trapped"]
COMPLEX = ["BLD.illegal", "DIS.neighbour"]
ORDINARY = [
    "WAT.sewage", "WAT.pressure", "HYG.garbage", "PARK.block", "NOI.night", "FAC.light", "PROP.service",
    "PEO.service", "ENV.tree", "ADV.advice", "OTH.other",
]  # fmt: skip


def small_document(**item: Any) -> dict[str, Any]:
    whole = {
        "code": "leak",
        "label": "漏水",
        "urgency": "urgent",
        "start": "micro",
        "visibility": "public",
        "mergeable": False,
        "deliberable": False,
        "first_step": "先关阀",
    }
    return {"classes": [{"code": "WAT", "label": "供水", "items": [{**whole, **item}]}]}


@pytest.mark.parametrize(
    ("urgency", "codes"),
    [("urgent", URGENT), ("emergency", EMERGENCY), ("complex", COMPLEX), ("ordinary", ORDINARY)],
)
def test_the_agreed_items_exist_with_their_urgency(urgency: str, codes: list[str]) -> None:
    for code in codes:
        item = catalogue().find(code)
        assert item is not None, code
        assert item.urgency == urgency, code


def test_whatever_can_wait_for_a_meeting_may_be_deliberated() -> None:
    refused = {item.code for item in catalogue().items() if not item.deliberable}
    assert refused == UNDELIBERABLE
    for item in catalogue().items():
        assert is_deliberable(item.code, item.urgency) == item.deliberable


def test_there_are_sixteen_classes_in_a_fixed_order() -> None:
    codes = " ".join(each.code for each in catalogue().classes)
    assert codes == "SAF HEAT WAT ELE LIFT PROP HYG PARK NOI DIS FAC BLD PEO ENV ADV OTH"


def test_only_lift_heating_outage_illegal_building_and_emergencies_start_above_micro() -> None:
    higher = {item.code: item.start for item in catalogue().items() if item.start != "micro"}
    assert higher == {
        "SAF.gas": "large",
        "SAF.fire": "large",
        "LIFT.trapped": "large",
        "LIFT.fault": "middle",
        "HEAT.outage": "middle",
        "BLD.illegal": "community",
    }


def test_a_defaulted_field_may_be_left_out_of_an_item() -> None:
    document = small_document()
    del document["classes"][0]["items"][0]["visibility"]
    document["defaults"] = {"visibility": "parties"}
    (item,) = parse_catalogue(document).items()
    assert item.visibility == "parties"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"urgency": "soon"}, "WAT.leak: urgency"),
        ({"start": "district"}, "WAT.leak: start"),
        ({"visibility": "secret"}, "WAT.leak: visibility"),
        ({"mergeable": "yes"}, "WAT.leak: mergeable"),
        ({"label": " "}, "WAT.leak: label"),
        ({"code": "Leak!"}, "WAT: item code"),
        ({"departments": ["water"]}, "WAT.leak: department"),
        ({"colour": "red"}, "unknown field colour"),
        ({"urgency": "emergency"}, "WAT.leak: an emergency starts at large"),
    ],
)
def test_a_faulty_item_is_refused_with_its_code(fault: dict[str, Any], said: str) -> None:
    with pytest.raises(BadCatalogueError, match=said):
        parse_catalogue(small_document(**fault))


def test_an_item_listed_twice_is_refused() -> None:
    document = small_document()
    document["classes"][0]["items"] *= 2
    with pytest.raises(BadCatalogueError, match=r"WAT\.leak: listed twice"):
        parse_catalogue(document)


@pytest.mark.parametrize("document", [None, [], {"classes": None}, {"classes": [1]}, {"items": []}])
def test_a_document_of_another_shape_is_refused(document: object) -> None:
    with pytest.raises(BadCatalogueError):
        parse_catalogue(document)
