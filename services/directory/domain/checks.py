"""From cells to a district, or the list of everything that keeps them from being one."""

import re
from collections.abc import Callable, Mapping, Sequence

from services.directory.domain.lines import Line, lines_of, refuse_repeats
from services.directory.domain.posts import may_stand
from services.directory.domain.workbook import (
    BINDINGS,
    CHANNELS,
    KINDS,
    LEVELS,
    POSTS,
    SEATS,
    YES_NO,
    BadWorkbook,
    Binding,
    Department,
    Fault,
    Grid,
    Officer,
    Person,
    Post,
    Seat,
    Sheets,
    Venue,
    Workbook,
)

PhoneReader = Callable[[str], str | None]
"""A mobile number as people write it -> E.164, or None when it is none."""

PARENTS: Mapping[str, tuple[str, ...]] = {
    "subdistrict": ("district",),
    "community": ("subdistrict",),
    # Between community and micro a level may be missing: a lone building needs no compound.
    "large": ("community",),
    "middle": ("community", "large"),
    "small": ("community", "large", "middle"),
    "micro": ("community", "large", "middle", "small"),
}
"""level -> the levels its parent may have."""

ADDRESSES = {"wechat": "微信openid", "wecom": "企业微信userid", "sms": "手机"}
"""channel -> the column that holds its address."""

BOUND = {"unit": "middle", "section": "small", "member": "micro"}
ITEM = re.compile(r"[A-Z]{2,8}\.[a-z_]{2,32}")
_DAY = "周[一二三四五六日]"
_TIME = r"(?:[01]\d|2[0-3]):[0-5]\d"
OPENING = re.compile(rf"{_DAY}(?:至{_DAY})? ({_TIME})-({_TIME})")


def parse(sheets: Sheets, phone: PhoneReader) -> Workbook:
    """Raises BadWorkbook with every fault found; where a sheet or column is missing, nothing else is."""
    faults: list[Fault] = []
    lines = lines_of(sheets, faults)
    if faults:
        raise BadWorkbook(faults)
    levels = {line["编码"]: _level(line) for line in lines["网格"]}
    numbers = {line["编号"] for line in lines["人员"]}
    workbook = Workbook(
        grids=_grids(lines["网格"]),
        people=_people(lines["人员"], phone),
        posts=_posts(lines["岗位"], levels, numbers),
        departments=_departments(lines["部门"]),
        officers=_officers(lines["部门人员"], {line["编码"] for line in lines["部门"]}, numbers),
        seats=_seats(lines["席位"], levels, numbers),
        venues=_venues(lines["场所"], levels),
        bindings=_bindings(lines["包联"], levels, numbers),
    )
    if not any(grid.level == "district" for grid in workbook.grids):
        faults.append(Fault("网格", 1, "层级", "没有层级为“区”的网格", "no grid is a district (区)"))
    if faults:
        raise BadWorkbook(faults)
    return workbook


# -- 网格 -----------------------------------------------------------------------------------------------
def _level(line: Line) -> str:
    return LEVELS.get(line["层级"], ("", False))[0]


def _grids(lines: Sequence[Line]) -> tuple[Grid, ...]:
    refuse_repeats(lines, "编码")
    grids = [_grid(line) for line in lines]
    _check_tree(lines)
    return tuple(grids)


def _grid(line: Line) -> Grid:
    level, village = line.choice("层级", LEVELS) or ("", False)
    lng, lat = line.degrees("经度", 180), line.degrees("纬度", 90)
    if bool(line["经度"]) != bool(line["纬度"]):
        missing = "纬度" if line["经度"] else "经度"
        line.fault(missing, "经度和纬度要一起填", "is required beside the other coordinate")
    return Grid(
        code=line.code("编码"),
        level=level,
        village=village,
        label=line.text("名称"),
        parent=line["上级编码"] or None,
        kind=line.choice("类型", KINDS, optional=True),
        households=line.whole("户数", 0, optional=True),
        lng=lng,
        lat=lat,
        row=line.row,
    )


def _check_tree(lines: Sequence[Line]) -> None:
    """One district at the top, every other grid below its parent."""
    by_code = {line["编码"]: line for line in reversed(lines)}
    circular = _circular({code: line["上级编码"] for code, line in by_code.items()})
    roots = [line for line in lines if line["层级"] == "区"]
    for line in roots[1:]:
        line.fault("层级", f"第 {roots[0].row} 行已是区", f"row {roots[0].row} is the district already")
    for line in lines:
        if line["层级"] == "区":
            if line["上级编码"]:
                line.fault("上级编码", "区没有上级", "a district has no parent")
        elif line["编码"] in circular:
            line.fault("上级编码", "上级关系成环", "the parents form a circle")
        elif line.known("上级编码", by_code, "网格", "grid") and line["上级编码"] in by_code:
            _check_levels(line, by_code[line["上级编码"]])


def _check_levels(line: Line, parent: Line) -> None:
    level, above = _level(line), _level(parent)
    if level and above and above not in PARENTS[level]:
        words = f"{line['层级']}不能直接在{parent['层级']}之下"
        line.fault("上级编码", words, f"a {level} grid cannot lie directly under a {above} one")


def _circular(parents: Mapping[str, str]) -> set[str]:
    """The codes that come back to themselves when one follows the parents."""
    found: set[str] = set()
    done: set[str] = set()
    for start in parents:
        trail: dict[str, None] = {}
        code = start
        while code in parents and code not in done and code not in trail:
            trail[code] = None
            code = parents[code]
        if code in trail:
            walked = list(trail)
            found.update(walked[walked.index(code) :])
        done.update(trail)
    return found


# -- 人员 -----------------------------------------------------------------------------------------------
def _people(lines: Sequence[Line], phone: PhoneReader) -> tuple[Person, ...]:
    refuse_repeats(lines, "编号")
    refuse_repeats(lines, "微信openid")
    refuse_repeats(lines, "企业微信userid")
    people = tuple(_person(line, phone) for line in lines)
    first: dict[str, int] = {}
    for line, person in zip(lines, people, strict=True):
        row = first.setdefault(person.phone, line.row) if person.phone else line.row
        if row != line.row:
            line.fault("手机", f"与第 {row} 行是同一号码", f"is the phone of row {row}")
    return people


def _person(line: Line, phone: PhoneReader) -> Person:
    number = phone(line["手机"]) if line["手机"] else None
    if line["手机"] and not number:
        line.fault("手机", "不是手机号码", "is not a mobile number")
    return Person(
        no=line.code("编号"),
        name=line.text("姓名"),
        phone=number,
        party=bool(line.choice("党员", YES_NO)),
        openid=(line["微信openid"] and line.code("微信openid")) or None,
        wecom=(line["企业微信userid"] and line.text("企业微信userid")) or None,
        channels=_channels(line),
        row=line.row,
    )


def _channels(line: Line) -> tuple[str, ...]:
    channels: list[str] = []
    for word in line.items("渠道"):
        channel = CHANNELS.get(word)
        if channel is None:
            words = "、".join(CHANNELS)
            line.fault("渠道", f"“{word}”不认识，只能是 {words}", f"“{word}” is none of {words}")
        elif channel in channels:
            line.fault("渠道", f"“{word}”重复", f"“{word}” stands twice")
        elif not line[ADDRESSES[channel]]:
            line.fault("渠道", f"有{word}却没有{ADDRESSES[channel]}", f"{word} needs {ADDRESSES[channel]}")
        else:
            channels.append(channel)
    return tuple(channels)


# -- 岗位 部门 席位 场所 包联 ---------------------------------------------------------------------------
def _posts(lines: Sequence[Line], levels: Mapping[str, str], numbers: set[str]) -> tuple[Post, ...]:
    refuse_repeats([line for line in lines if line["岗位"] != "值班"], "网格编码", "岗位")
    refuse_repeats([line for line in lines if line["岗位"] == "值班"], "网格编码", "岗位", "人员编号")
    return tuple(_post(line, levels, numbers) for line in lines)


def _post(line: Line, levels: Mapping[str, str], numbers: set[str]) -> Post:
    grid = line.known("网格编码", levels, "网格", "grid") or ""
    kind = line.choice("岗位", POSTS) or ""
    level = levels.get(grid)
    if kind and level and not may_stand(kind, level):
        line.fault("岗位", "这一层级没有这种岗位", f"a {level} grid has no such post")
    return Post(grid, kind, line.known("人员编号", numbers, "人员", "person") or "")


def _departments(lines: Sequence[Line]) -> tuple[Department, ...]:
    refuse_repeats(lines, "编码")
    return tuple(Department(line.code("编码"), line.text("名称"), _duties(line)) for line in lines)


def _duties(line: Line) -> tuple[str, ...]:
    duties = line.items("职责")
    for place, item in enumerate(duties):
        if not ITEM.fullmatch(item):
            line.fault("职责", f"“{item}”不是事项编码", f"“{item}” is not an item code")
        elif item in duties[:place]:
            line.fault("职责", f"“{item}”重复", f"“{item}” stands twice")
    return tuple(duties)


def _officers(lines: Sequence[Line], departments: set[str], numbers: set[str]) -> tuple[Officer, ...]:
    refuse_repeats(lines, "部门编码", "人员编号")
    return tuple(
        Officer(
            line.known("部门编码", departments, "部门", "department") or "",
            line.known("人员编号", numbers, "人员", "person") or "",
        )
        for line in lines
    )


def _seats(lines: Sequence[Line], levels: Mapping[str, str], numbers: set[str]) -> tuple[Seat, ...]:
    refuse_repeats(lines, "网格编码", "类别", "人员编号")
    kinds = {kind: kind for kind in SEATS}
    return tuple(
        Seat(
            line.known("网格编码", levels, "网格", "grid") or "",
            line.choice("类别", kinds) or "",
            line.known("人员编号", numbers, "人员", "person") or "",
        )
        for line in lines
    )


def _venues(lines: Sequence[Line], levels: Mapping[str, str]) -> tuple[Venue, ...]:
    refuse_repeats(lines, "编码")
    return tuple(
        Venue(
            code=line.code("编码"),
            grid=line.known("网格编码", levels, "网格", "grid") or "",
            label=line.text("名称"),
            kind=line.text("类型"),
            seats=line.whole("座位", 1) or 0,
            opening=_opening(line),
        )
        for line in lines
    )


def _opening(line: Line) -> str:
    if line.required("开放时间"):
        found = OPENING.fullmatch(line["开放时间"])
        if not found or found[1] >= found[2]:
            form = "周一至周日 08:30-20:30"
            line.fault("开放时间", f"要写成“{form}”的样子", f"must look like “{form}”")
    return line["开放时间"]


def _bindings(lines: Sequence[Line], levels: Mapping[str, str], numbers: set[str]) -> tuple[Binding, ...]:
    bindings = []
    for line in lines:
        kind = line.choice("类型", BINDINGS) or ""
        grid = line.known("网格编码", levels, "网格", "grid") or ""
        level = levels.get(grid)
        if kind and level and level != BOUND[kind]:
            words = "单位包中网格，股室包小网格，党员包微网格"
            line.fault("网格编码", words, f"a {kind} covers {BOUND[kind]} grids")
        person = line.known("人员编号", numbers, "人员", "person", optional=kind != "member")
        bindings.append(Binding(kind, line.text("单位"), person, grid))
    return tuple(bindings)
