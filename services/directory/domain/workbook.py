"""The district workbook: the records of its sheets, and the Chinese words that stand for them in Excel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LEVELS: Mapping[str, tuple[str, bool]] = {
    "区": ("district", False),
    "街道": ("subdistrict", False),
    "社区": ("community", False),
    "村": ("community", True),
    "大": ("large", False),
    "中": ("middle", False),
    "小": ("small", False),
    "微": ("micro", False),
}
"""层级 -> (level, whether it is a village)."""

KINDS: Mapping[str, str] = {"楼房": "block", "平房": "courtyard"}
CHANNELS: Mapping[str, str] = {"微信": "wechat", "企业微信": "wecom", "短信": "sms"}
POSTS: Mapping[str, str] = {"长": "leader", "三户": "party", "值班": "desk", "书记": "secretary"}
BINDINGS: Mapping[str, str] = {"单位": "unit", "股室": "section", "党员": "member"}
SEATS = ("居民自治组织", "业委会", "物业", "社会组织", "志愿服务", "包联单位", "法律援助")
YES_NO: Mapping[str, bool] = {"是": True, "否": False}

SHEETS: Mapping[str, tuple[str, ...]] = {
    "网格": ("编码", "层级", "名称", "上级编码", "类型", "户数", "经度", "纬度"),
    "人员": ("编号", "姓名", "手机", "党员", "微信openid", "企业微信userid", "渠道"),
    "岗位": ("网格编码", "岗位", "人员编号"),
    "部门": ("编码", "名称", "职责"),
    "部门人员": ("部门编码", "人员编号"),
    "席位": ("网格编码", "类别", "人员编号"),
    "场所": ("编码", "网格编码", "名称", "类型", "座位", "开放时间"),
    "包联": ("类型", "单位", "人员编号", "网格编码"),
}
"""Sheet -> its columns."""

Cell = str | int | float | None
Sheets = Mapping[str, Sequence[Sequence[object]]]
"""Sheet -> rows of cells; the first row holds the names of the columns."""


@dataclass(frozen=True, order=True)
class Fault:
    """What is wrong in one place. `row` is the number Excel shows; the header is row 1."""

    sheet: str
    row: int
    column: str
    zh: str
    en: str

    def __str__(self) -> str:
        where = " ".join(str(part) for part in (self.sheet, self.row, self.column) if part)
        return f"{where}: {self.zh} / {self.en}" if where else f"{self.zh} / {self.en}"


class BadWorkbook(Exception):
    """The workbook is refused as a whole; `rows` names every fault, in the order of sheets and rows."""

    def __init__(self, rows: Sequence[Fault]) -> None:
        super().__init__(f"{len(rows)} faults in the workbook")
        order = {sheet: number for number, sheet in enumerate(SHEETS)}
        self.rows = sorted(rows, key=lambda fault: (order.get(fault.sheet, -1), fault.row))


@dataclass(frozen=True, slots=True)
class Grid:
    """A node of the tree (网格). `lng`, `lat` are WGS-84 degrees."""

    code: str
    level: str
    label: str
    parent: str | None = None
    village: bool = False
    kind: str | None = None
    households: int | None = None
    lng: float | None = None
    lat: float | None = None
    row: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Person:
    """A person (人员). `phone` is E.164; `channels` in the person's own order."""

    no: str
    name: str
    phone: str | None = None
    party: bool = False
    openid: str | None = None
    wecom: str | None = None
    channels: tuple[str, ...] = ()
    row: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Post:
    """A post (岗位) in a grid and who holds it: leader, party, desk or secretary."""

    grid: str
    kind: str
    person: str


@dataclass(frozen=True, slots=True)
class Department:
    """A department (部门) with the item codes it answers for."""

    code: str
    label: str
    duties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Officer:
    department: str
    person: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A standing seat in deliberation (席位); `kind` is the workbook's own word."""

    grid: str
    kind: str
    person: str


@dataclass(frozen=True, slots=True)
class Venue:
    """A place to meet (场所); `opening` such as 周一至周五 08:30-17:30."""

    code: str
    grid: str
    label: str
    kind: str
    seats: int
    opening: str


@dataclass(frozen=True, slots=True)
class Binding:
    """包联: a unit covers a compound, a section a building, a member a micro grid."""

    kind: str
    unit: str
    person: str | None
    grid: str


@dataclass(frozen=True, slots=True)
class Workbook:
    """A whole district: what it does not name does not exist any more."""

    grids: tuple[Grid, ...]
    people: tuple[Person, ...]
    posts: tuple[Post, ...]
    departments: tuple[Department, ...] = ()
    officers: tuple[Officer, ...] = ()
    seats: tuple[Seat, ...] = ()
    venues: tuple[Venue, ...] = ()
    bindings: tuple[Binding, ...] = ()


def _words(words: Mapping[str, str]) -> dict[str, str]:
    return {machine: word for word, machine in words.items()}


def to_sheets(workbook: Workbook) -> dict[str, list[Sequence[Cell]]]:
    """The workbook as it stands in Excel, headers included."""
    level = {machine: word for word, machine in LEVELS.items()}
    kind, post, channel, binding = _words(KINDS), _words(POSTS), _words(CHANNELS), _words(BINDINGS)
    rows: dict[str, list[Sequence[Cell]]] = {
        "网格": [
            (
                g.code,
                level[g.level, g.village],
                g.label,
                g.parent,
                g.kind and kind[g.kind],
                g.households,
                g.lng,
                g.lat,
            )
            for g in workbook.grids
        ],
        "人员": [
            (
                p.no,
                p.name,
                p.phone and p.phone.removeprefix("+86"),
                "是" if p.party else "否",
                p.openid,
                p.wecom,
                ",".join(channel[name] for name in p.channels),
            )
            for p in workbook.people
        ],
        "岗位": [(p.grid, post[p.kind], p.person) for p in workbook.posts],
        "部门": [(d.code, d.label, ",".join(d.duties)) for d in workbook.departments],
        "部门人员": [(o.department, o.person) for o in workbook.officers],
        "席位": [(s.grid, s.kind, s.person) for s in workbook.seats],
        "场所": [(v.code, v.grid, v.label, v.kind, v.seats, v.opening) for v in workbook.venues],
        "包联": [(binding[b.kind], b.unit, b.person, b.grid) for b in workbook.bindings],
    }
    return {sheet: [SHEETS[sheet], *rows[sheet]] for sheet in SHEETS}
