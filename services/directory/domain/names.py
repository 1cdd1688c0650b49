"""Invented names for a generated district; none is taken from a register of real people."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国志文斌浩宇欣怡佳雪梅海波春燕红晓东云飞永福"
MONGOLIAN = _words(
    """
    巴特尔 乌云 其其格 苏日娜 阿古拉 萨仁 那日苏
    娜仁 宝音 格日勒 乌兰 斯琴 哈斯 图雅 朝鲁
    高娃 塔娜 布和 琪琪 满都拉
    """
)

STREETS = ("新华", "前进", "桥东", "桥西", "虎山", "常青", "泉山", "霸王河")
TOWNS = ("白海子", "马莲渠")
PARK = "察右工业园区"

COMMUNITIES = _words(
    """
    和平 团结 幸福 朝阳 胜利 光明 文化 育才
    民主 建设 友谊 振兴 兴盛 永安 平安 康乐
    安居 富民 新村 东风 红旗 解放 工农 车站
    站前 广场 怀远 恩和 卧龙 察哈尔 通顺 隆盛
    泰昌 景观 翠园 河畔 滨河 榆树 松涛 杏园
    芳草 百合 瑞丰 祥和 吉祥 如意 长安 福源
    金桥 银泉 春晖 晨光 蓝天 碧水 花园 林荫
    学府 书香 博雅 仁爱 敬老 邻里 同心 共和
    民乐 惠民 利民 便民 安康 宏达 宏远 鸿雁
    骏马 草原 牧歌 丰镇路 工业路 体育路 公园路
    解放路
    """
)
VILLAGES = _words(
    """
    东河 西河 南梁 北梁 头号 二号 三号 四号
    五号 六号 大营 小营 前营 后营 土城 榆林
    柳湾 泉子 羊圈 马厂 石山 平地 新地 旧地
    苏计
    """
)
COMPOUNDS = _words(
    """
    阳光 锦绣 盛世 丽景 世纪 嘉园 馨园 雅苑
    名都 华府 御景 翰林 金鼎 龙苑 凤凰 恒泰
    国泰 民安 万和 天和 美域 丰泽 润泽 清华
    明珠 东苑 西苑 南苑 北苑 中苑
    """
)
NUMERALS = "一二三四五六七八九十"

UNITS = _words(
    """
    财政局 教育局 卫生健康委 民政局 司法局 审计局
    统计局 水务局 农牧局 林草局 文旅局 人社局
    发改委 工信局 住建局 交通局 应急局 市监局
    医保局 信访局 档案馆 融媒体中心 总工会 团委
    妇联 残联 科协 工商联
    """
)
SECTIONS = _words(
    """
    办公室 人事股 财务股 业务股 法规股 督查股
    综合股 服务股
    """
)

DEPARTMENTS = (
    (
        "HOUSING",
        "住房和城乡建设局",
        "SAF.gas SAF.charging HEAT.cold HEAT.outage HEAT.pipe WAT.sewage LIFT.fault PROP.service "
        "PROP.fee PROP.fund PARK.space FAC.light FAC.door FAC.fitness BLD.wall BLD.deed",
    ),
    ("FIRE", "消防救援大队", "SAF.gas SAF.fire SAF.exit SAF.charging LIFT.trapped"),
    (
        "CITY",
        "城市管理综合执法局",
        "SAF.exit HYG.garbage HYG.snow HYG.pest PARK.block PARK.road NOI.night NOI.construction "
        "DIS.pet FAC.light FAC.door BLD.illegal BLD.wall ENV.tree ENV.green ENV.pollution",
    ),
    ("WATER", "水务局", "WAT.leak WAT.sewage WAT.pressure"),
    ("POWER", "供电分局", "ELE.outage ELE.wire"),
    ("INDUSTRY", "工业和信息化局", "ELE.network"),
    ("MARKET", "市场监督管理局", "LIFT.trapped LIFT.fault PROP.fee"),
    ("HEALTH", "卫生健康委员会", "HYG.pest PEO.elder"),
    ("POLICE", "公安分局", "PARK.block NOI.night DIS.pet"),
    ("ECOLOGY", "生态环境分局", "NOI.construction ENV.pollution"),
    ("JUSTICE", "司法局", "DIS.neighbour DIS.family"),
    ("WOMEN", "妇女联合会", "DIS.family"),
    ("SPORTS", "文化旅游体育局", "FAC.fitness"),
    ("RESOURCES", "自然资源局", "BLD.illegal BLD.deed"),
    ("CIVIL", "民政局", "PEO.service PEO.elder PEO.welfare"),
    ("LABOUR", "人力资源和社会保障局", "PEO.welfare"),
    ("PETITION", "信访局", "ADV.advice ADV.question OTH.other"),
)
"""Departments and what they answer for: code, label, item codes."""
