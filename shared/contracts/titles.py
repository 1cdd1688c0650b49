"""What people call a holder: the title, never the name."""

_LEADER = {"large": "网格长", "middle": "小区长", "small": "楼栋长", "micro": "单元长"}
_COURTYARD_LEADER = {"middle": "片区长", "small": "排组长", "micro": "小组长"}
_PARTY = {"large": "党小组长", "middle": "党员中心户", "small": "党员堡垒户", "micro": "党员先锋户"}


def title(level: str, post: str | None, *, courtyard: bool = False, village: bool = False) -> str:
    """The title of a post at a level; houses of one storey (平房) have their own words."""
    if post == "party":
        return _PARTY.get(level, "党员")
    if post == "leader":
        return (_COURTYARD_LEADER if courtyard else {}).get(level) or _LEADER.get(level, "负责人")
    if post == "bound":
        return "包联党员"
    return {"subdistrict": "街道值班台", "district": "区指挥中心"}.get(level, "村值班台" if village else "值班台")
