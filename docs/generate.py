"""`python docs/generate.py [--check]`: writes what documents say from the code.

These are the settings in the README, the services in `docs/architecture.md`, the acts and clocks in `docs/whistle.md`
and `docs/deliberation.md`, and all of `docs/states.md`, `docs/events.md` and `docs/asyncapi.yaml`. `--check` writes
nothing and fails when something is not up to date.
"""

import ast
import inspect
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from pathlib import Path

import yaml

from chuishao.wiring import SERVICES
from services.deliberation.domain import states as topics
from services.deliberation.domain.seats import CHAIR, RESIDENT
from services.deliberation.policy import load as load_deliberation
from services.routing.domain import states as cases
from services.routing.domain import whistle
from services.routing.domain.terms import Term
from services.routing.policy import load as load_policy
from shared.contracts import Contract, asyncapi
from shared.contracts.export import all_contracts

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
STATES = ROOT / "docs" / "states.md"
EVENTS = ROOT / "docs" / "events.md"
ASYNCAPI = ROOT / "docs" / "asyncapi.yaml"
SETTINGS = ROOT / "shared" / "settings.py"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
WHISTLE = ROOT / "docs" / "whistle.md"
DELIBERATION = ROOT / "docs" / "deliberation.md"

CHINESE = {
    "data": "内置部署的数据目录：两个服务器的数据、密钥、正在运行的记录",
    "postgres": "`embedded`，或属主的 SQLAlchemy URL",
    "kafka": "`embedded`，或 `HOST:PORT`",
    "host": "HTTP 监听的地址",
    "port": "HTTP 监听的端口",
    "master_key": "32 字节的十六进制主密钥，所有秘密都由它推出；内置部署第一次启动时生成。换过以后有几把，新的在前",
    "topic_prefix": "Kafka 主题和消费组的前缀",
    "instance": "进程自己的名字，重启不变；两个同时运行的进程不能同名",
    "clock": "`adjustable` 才能拨时钟；拨过的数据库只在这时启动",
    "providers": "消息发到哪里：`sandbox` 沙箱，`real` 真的服务商",
    "public_url": "外面怎么访问这个部署（服务商回调用）",
    "sandbox_url": "发的一方怎么找到沙箱；默认就是这个部署的 `/sandbox`",
    "sms_url": "阿里云短信接口的地址",
    "sms_access_key_id": "阿里云 AccessKey ID",
    "sms_access_key_secret": "阿里云 AccessKey Secret",
    "sms_sign_name": "短信签名",
    "wechat_url": "微信公众号接口的地址",
    "wechat_appid": "公众号 AppID",
    "wechat_secret": "公众号 AppSecret",
    "wechat_token": "公众号回调签名用的 Token",
    "wecom_url": "企业微信接口的地址",
    "wecom_corpid": "企业 ID",
    "wecom_secret": "应用的 Secret",
    "wecom_agentid": "应用的 AgentId",
    "wecom_token": "应用回调签名用的 Token",
    "wecom_aes_key": "应用回调的 EncodingAESKey，43 个字符",
    "heartbeat_url": "一切正常时每 30 秒请求一次（GET）的外部地址；没等到的人来报警",
    "photos": "照片放哪里：各进程共用的目录（默认 `DATA/photos`），或 `s3://桶/前缀`",
    "s3_endpoint": "S3 服务的地址，不是亚马逊的才要写",
    "s3_region": "桶所在的区域",
    "s3_access_key_id": "桶的 Access Key ID",
    "s3_secret_access_key": "桶的 Secret Access Key",
    "limit_caller": "一个令牌每分钟最多改多少次；0 不限。超了答 429 和 Retry-After",
    "limit_address": "没有令牌的请求，一个公网地址每分钟最多多少次；0 不限",
    "limit_phone": "没有令牌的上报，一个手机号每小时最多多少件；0 不限",
    "proxies": "前面有几层自己的反向代理：X-Forwarded-For 就信几个",
    "hsts": "Strict-Transport-Security 的秒数；0 不发。用 TLS 的部署设",
    "log_level": "日志级别",
}
CASE_WHO = {
    cases.HOLDER: "holder 经办人",
    cases.FORMER: "former holder 经过的一级",
    cases.BOUND: "bound member 包联党员",
    cases.REPORTER: "resident 居民",
    cases.DESK: "desk above 上面的值班台",
    cases.CLOCK: "clock 时钟",
}
WHISTLE_WHO = {
    whistle.LEAD: "lead department 主办部门",
    whistle.DESK: "whistling desk 吹哨的值班台",
    whistle.ARBITER: "arbiter 仲裁",
}
OCCASIONS = {"emergency": "应急处置", "enforcement": "综合执法", "demand": "群众诉求", "key_work": "重点工作"}
WHISTLE_TERMS = {
    "confirm": "the whistler confirms a result or returns it",
    "decide": "the arbiter decides a dispute",
    "rest": "what the case has left of its own term afterwards, at least",
    "addition": "a second whistle is an addition to the first",
}
MEETING_TERMS = {
    "screening": "the secretary screens a topic, or it is over",
    "notice": "from planning to the meeting, at least",
    "urgent_notice": "the same for an urgent case",
    "slot": "how long a meeting is",
    "raster": "meetings begin on these",
    "horizon": "how far ahead a slot is looked for",
    "reminder": "the reminder before it begins",
}
TOPIC_WHO = {
    topics.DESK: "desk 值班台",
    topics.CHAIR: "chair 社区书记",
    topics.SEAT: "seat 席位",
    topics.CLOCK: "clock 时钟",
    topics.CASE: "the case 事情本身",
}
PHASES = (cases.ASSIGNED, cases.ACCEPTED, cases.RESOLVED, cases.CLOSED)
HOLDS = (None, "reporter", "suspended", "whistle", "deliberation")

STATES_PAGE = """# States: case, whistle, topic

Written by `python docs/generate.py` from the tables that the code itself goes by:
[`routing/domain/states.py`](../services/routing/domain/states.py),
[`routing/domain/whistle.py`](../services/routing/domain/whistle.py) and
[`deliberation/domain/states.py`](../services/deliberation/domain/states.py).
What whoever may not do it is answered is told in [architecture.md](architecture.md#rights).

## Case 办理

```mermaid
stateDiagram-v2
    direction LR
    [*] --> assigned
    assigned --> accepted: accept, claim
    assigned --> assigned: escalate, timeout
    accepted --> assigned: escalate, timeout
    accepted --> resolved: resolve
    resolved --> assigned: answer "no"
    resolved --> closed: answer "yes" or "partly", silence
    assigned --> closed: withdraw
    accepted --> closed: withdraw
    resolved --> closed: withdraw
    closed --> assigned: answer "no" to an unanswered one
```

`on_hold` lies beside the phase and says why the clocks stand still. An act in *italics* has its place in the table and
is not open to anybody yet.

{cases}

## Whistle 吹哨报到

Disputed, extended and overdue are flags beside the state; more in [whistle.md](whistle.md).

{whistles}

## Topic and meeting 协商议事

A topic has one meeting at most, and the meeting's state follows from the topic's; more in
[deliberation.md](deliberation.md).

{topics}
"""

EVENTS_PAGE = """# Events

Written by `python docs/generate.py` from [`shared/contracts`](../shared/contracts), where each has a JSON Schema as
well ([`schemas/`](../shared/contracts/schemas)); for programs, all of them are in [`asyncapi.yaml`](asyncapi.yaml)
(AsyncAPI 3.0). Events are CloudEvents 1.0 in JSON on the topics `chuishao.issue`, `chuishao.case` and so on, of type
`cn.chuishao.…`. The record's key is the event's `subject`; `seq` counts per topic and subject from 1. `data` is what is
listed here: ids, codes, levels, times and reasons, never free text, never personal data. Fields are only ever added,
with a default: a change that would break an event already published fails a test.

{topics}
"""


def settings_table() -> str:
    """Every field of `Settings`, with its default, its words and its docstring."""
    rows = [["variable", "default", "中文", "English"]]
    for name, default, said in fields():
        rows.append([f"`CHUISHAO_{name.upper()}`", default, CHINESE.get(name, ""), said])
    return _table(rows)


def fields() -> Iterator[tuple[str, str, str]]:
    """Name, default as one would type it, and docstring (empty if there is none) of every setting."""
    classes = (node for node in ast.parse(SETTINGS.read_text()).body if isinstance(node, ast.ClassDef))
    body = next(node.body for node in classes if node.name == "Settings")
    for field, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            yield field.target.id, _default(field.value), " ".join(str(said).split())


def _default(value: ast.expr | None) -> str:
    """`Path("data")` is data, `Field(8000, …)` is 8000."""
    constant = value.args[0] if isinstance(value, ast.Call) else value
    found = constant.value if isinstance(constant, ast.Constant) else None
    return f"`{found}`" if found not in (None, "") else "–"


def case_table() -> str:
    """The acts on a case."""
    rows = [["act", "中文", "who may", "phase", "on hold", "then"]]
    for act in cases.ACTS.values():
        name = f"`{act.name}`" if act.offered else f"*{act.name}*"
        holds = ", ".join(hold or "–" for hold in HOLDS if hold in act.on_hold)
        who, phases = _among(CASE_WHO, act.by), _among(PHASES, act.phases)
        rows.append([name, act.zh, who, phases, holds, act.then or "as before"])
    return _table(rows)


def acts_table(
    acts: Mapping[str, whistle.WhistleAct | topics.Act], who: Mapping[str, str], states: Collection[str]
) -> str:
    """The acts of a machine whose rows have `states`."""
    rows = [["act", "中文", "who may", "state", "then"]]
    for act in acts.values():
        rows.append(
            [f"`{act.name}`", act.zh, _among(who, act.by), _among(states, act.states) or "–", act.then or "as before"]
        )
    return _table(rows)


def clocks_table() -> str:
    """How long each side of a whistle has, by the default policy."""
    policy = load_policy("default").whistle
    rows = [["occasion", "中文", "report in", "result"]]
    for name, said in OCCASIONS.items():
        terms = policy.occasions[name]  # type: ignore[index]
        rows.append([f"`{name}`", said, _term(terms.report_in), _term(terms.result)])
    rest = [[f"`{name}`", words, _term(getattr(policy, name))] for name, words in WHISTLE_TERMS.items()]
    return f"{_table(rows)}\n\n{_table([['', 'what', 'how long'], *rest])}"


def seats_table() -> str:
    """Who sits in a meeting, by the default preset."""
    seats = load_deliberation("default").seats
    rows = [["", "seat", "where it has nobody", "counts for the quorum"]]
    rows.append(["1", CHAIR, "no meeting", "no"])
    rows += [
        ["6", each.kind, ", ".join(each.substitutes), f"yes, {seats.quorum} of the six"] for each in seats.standing
    ]
    rows += [["N", kind, "–", "no"] for kind in (RESIDENT, "a department", *seats.called)]
    return _table(rows)


def meeting_clocks_table() -> str:
    """How long what takes in deliberation, by the default policy."""
    policy = load_deliberation("default")
    rows = [[f"`{name}`", words, _span(getattr(policy, name))] for name, words in MEETING_TERMS.items()]
    if policy.hours:
        rows.append(["`hours`", "the time of day", f"{policy.hours.days} {policy.hours.opens}–{policy.hours.until}"])
    rows.append(["`postponements`", "how often the chair may move it", str(policy.postponements)])
    return _table([["", "what", "how long"], *rows])


def _span(span: timedelta) -> str:
    """In the largest unit that leaves no rest."""
    units = (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("min", timedelta(minutes=1)))
    return next(f"{span // unit} {name}" for name, unit in units if not span % unit)


def _term(term: Term) -> str:
    return f"{float(term.amount):g} {term.unit}"


def _among(names: Collection[str], some: Collection[str]) -> str:
    """Those of `names` that are in `some`, in order; of a mapping, what they are called."""
    called = names if isinstance(names, Mapping) else {name: name for name in names}
    return ", ".join(words for name, words in called.items() if name in some)


def events_page() -> str:
    """Every event by topic: what it means and which fields it has beside those that all of its kind carry."""
    kinds = sorted(all_contracts().values(), key=lambda kind: (kind.topic, kind.type.split(".")[2], _line(kind)))
    return EVENTS_PAGE.format(
        topics="\n\n".join(_topic(topic, list(some)) for topic, some in groupby(kinds, key=lambda kind: kind.topic))
    )


def _line(kind: type[Contract]) -> int:
    return inspect.getsourcelines(kind)[1]


def _topic(topic: str, kinds: list[type[Contract]]) -> str:
    common = {kind.__base__: kind.__base__.model_fields for kind in kinds if kind.__base__ not in (Contract, None)}
    carried = ""
    for base, names in common.items():
        who = sorted({kind.type.split(".")[3] for kind in kinds if kind.__base__ is base})
        carried += (
            f"{'Each' if len(common) == 1 else 'Of a ' + ' or '.join(who) + ' each'} carries {_fields(names)}.\n\n"
        )
    rows = [["type", "what happened", "fields of its own"]]
    for kind in kinds:
        own = [name for name in kind.model_fields if all(name not in names for names in common.values())]
        rows.append([f"`{kind.type.removeprefix('cn.chuishao.')}`", _words(kind), _fields(own) or "–"])
    return f"## {topic}\n\n{carried}{_table(rows)}"


def _words(kind: type[Contract]) -> str:
    """The docstring, if the contract has one of its own."""
    return " ".join((kind.__dict__.get("__doc__") or "–").split()).replace("|", "\\|")


def _fields(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _table(rows: list[list[str]]) -> str:
    head, *rest = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|---" * len(rows[0]) + "|", *rest])


def services_table() -> str:
    """Every service with its schema and the topics it hears and tells."""
    rows = [["service", "schema", "hears", "tells", "more"]]
    for service in SERVICES:
        told = dict.fromkeys(k.topic for k in all_contracts().values() if k.type.split(".")[2] == service.name)
        folder = "sandbox" if service.name == "sandbox" else f"services/{service.name}"
        readme = f"[README](../{folder}/README.md)" if (ROOT / folder / "README.md").exists() else "–"
        schemas = "`directory`, `vault`" if service.name == "directory" else f"`{service.name}`"
        rows.append([service.name, schemas, _fields(service.topics) or "–", _fields(told) or "–", readme])
    return _table(rows)


def _filled(path: Path, **tables: str) -> str:
    """The document with each table between its marks."""
    text = path.read_text()
    for what, table in tables.items():
        begin, end = f"<!-- {what}: python docs/generate.py -->", f"<!-- {what} end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{table}\n{end}{rest.split(end)[1]}"
    return text


def asyncapi_text() -> str:
    """Every event for programs: AsyncAPI 3.0."""
    told = asyncapi.document(all_contracts().values(), {s.name: s.topics for s in SERVICES if s.topics})
    return yaml.dump(told, Dumper=_Plain, allow_unicode=True, sort_keys=False, width=120)


class _Plain(yaml.SafeDumper):
    """Without anchors: what stands in two places is written twice."""

    def ignore_aliases(self, _: object) -> bool:
        return True


def wanted() -> dict[Path, str]:
    """Every generated document as it should be."""
    states = STATES_PAGE.format(
        cases=case_table(),
        whistles=acts_table(whistle.WHISTLE_ACTS, WHISTLE_WHO, whistle.STATES),
        topics=acts_table(topics.ACTS, TOPIC_WHO, topics.STATES),
    )
    return {
        README: _filled(README, settings=settings_table()),
        ARCHITECTURE: _filled(ARCHITECTURE, services=services_table()),
        WHISTLE: _filled(
            WHISTLE,
            acts=acts_table(whistle.WHISTLE_ACTS, WHISTLE_WHO, whistle.STATES),
            clocks=clocks_table(),
        ),
        DELIBERATION: _filled(
            DELIBERATION,
            acts=acts_table(topics.ACTS, TOPIC_WHO, topics.STATES),
            seats=seats_table(),
            clocks=meeting_clocks_table(),
        ),
        STATES: states,
        EVENTS: events_page(),
        ASYNCAPI: asyncapi_text(),
    }


def main() -> None:
    """The command line."""
    check = "--check" in sys.argv[1:]
    stale = {path: text for path, text in wanted().items() if not path.exists() or path.read_text() != text}
    for path, text in stale.items():
        if not check:
            path.write_text(text)
        print(f"{path.relative_to(ROOT)}: {'is not up to date: python docs/generate.py' if check else 'written'}")
    sys.exit(check and bool(stale))


if __name__ == "__main__":
    main()
