"""What categories are called in a few words, for messages: codes travel in events, words do not."""

CLASS = {
    "SAF": "安全隐患",
    "HEAT": "供暖",
    "WAT": "供水排水",
    "ELE": "供电通信",
    "LIFT": "电梯",
    "PROP": "物业",
    "HYG": "环境卫生",
    "PARK": "停车交通",
    "NOI": "噪音",
    "DIS": "邻里纠纷",
    "FAC": "公共设施",
    "BLD": "违建房产",
    "PEO": "民生服务",
    "ENV": "绿化生态",
    "ADV": "咨询建议",
    "OTH": "其他事情",
}

ITEM = {
    "SAF.gas": "燃气泄漏",
    "SAF.fire": "着火冒烟",
    "HEAT.cold": "家里不热",
    "HEAT.outage": "整片停暖",
    "WAT.leak": "漏水",
    "WAT.sewage": "下水道堵了",
    "WAT.pressure": "水压小",
    "ELE.outage": "停电",
    "LIFT.fault": "电梯坏了",
    "LIFT.trapped": "电梯困人",
    "PROP.service": "物业服务",
    "HYG.garbage": "垃圾没清",
    "PARK.block": "乱停车堵路",
    "NOI.night": "夜里太吵",
    "DIS.neighbour": "邻里纠纷",
    "FAC.light": "路灯楼道灯",
    "BLD.illegal": "违建",
    "PEO.service": "民生服务",
    "ENV.tree": "树木绿化",
    "ADV.advice": "咨询建议",
    "OTH.other": "其他事情",
}

UNDELIBERABLE = frozenset({"SAF.gas", "SAF.fire", "LIFT.trapped"})
"""Items of intake's catalogue that are not `deliberable`."""


def is_deliberable(category: str, urgency: str) -> bool:
    """Whether a community may talk it over in a meeting (议事): anything that can wait for one."""
    return urgency != "emergency" and category not in UNDELIBERABLE


def category_label(code: str) -> str:
    """The item's words, else its class's: a district may have added items of its own."""
    return ITEM.get(code) or CLASS.get(code.split(".")[0], CLASS["OTH"])
