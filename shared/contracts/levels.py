"""Levels of the grid tree, lowest first. The rank is what rules compare; the name is what interfaces say."""

LEVELS = ("micro", "small", "middle", "large", "community", "subdistrict", "district")
MICRO, SMALL, MIDDLE, LARGE, COMMUNITY, SUBDISTRICT, DISTRICT = range(1, 8)

RANK = {level: rank for rank, level in enumerate(LEVELS, start=1)}
"""Machine name -> rank (1 = micro … 7 = district). A village has the rank of a community."""

LEVEL = {rank: level for level, rank in RANK.items()}

LABEL = {
    "micro": "微网格",
    "small": "小网格",
    "middle": "中网格",
    "large": "大网格",
    "community": "社区",
    "subdistrict": "街道",
    "district": "区",
}
