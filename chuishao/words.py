"""What events, phases and reasons are called on the terminal."""

from datetime import datetime
from zoneinfo import ZoneInfo

from shared.contracts.levels import LABEL

SHANGHAI = ZoneInfo("Asia/Shanghai")

PHASES = {
    "received": "已收到",
    "assigned": "等人接",
    "accepted": "在办",
    "resolved": "办完了，等居民确认",
    "closed": "结了",
}
HOLDS = {"suspended": "挂账", "whistle": "吹哨中", "deliberation": "议事中", "reporter": "等居民回话"}
HOW = {
    "confirmed": "居民说解决了",
    "unanswered": "居民一直没回话",
    "withdrawn": "居民撤回",
    "merged": "并入同一件事",
    "out_of_scope": "不受理",
    "own": "自办自结",
    "handed_over": "转给别的系统，没有办完",
}
ENDED = {
    "escalated": "往上报",
    "accept_timeout": "到点没人接",
    "resolve_timeout": "到点没办完",
    "returned": "退回",
    "resolved": "办完了",
    "taken": "别人接过去",
    "moved": "换人",
    "merged": "合并",
    "withdrawn": "撤回",
}
SKIPPED = {
    "vacant": "空缺",
    "absent": "不在",
    "unreachable": "联系不上",
    "same_person": "同一个人，下面已到过",
    "recused": "回避",
    "night": "夜间",
}
EVENTS = {
    "intake.issue.reported": "报上来了",
    "intake.issue.placed": "定了地方",
    "routing.case.opened": "送到",
    "routing.case.accepted": "接了",
    "routing.case.claimed": "又接回来",
    "routing.case.escalated": "转到",
    "routing.case.moved": "换到",
    "routing.case.asked": "问居民",
    "routing.case.ask-reminded": "再问居民",
    "routing.case.replied": "居民回话",
    "routing.case.resolved": "办完了，问居民",
    "routing.case.still-asking": "还在等居民回话",
    "routing.case.reopened": "居民说没解决，转到",
    "routing.case.closed": "结了",
    "routing.case.reminded": "催办",
    "routing.case.supervised": "上督办单",
    "routing.case.held": "停表",
    "routing.case.released": "接着走表",
    "routing.case.reply-refused": "回话没办成",
    "routing.whistle.blown": "吹哨",
    "routing.whistle.added": "并进前一声哨",
    "routing.whistle.acknowledged": "部门收到",
    "routing.whistle.reported-in": "报到",
    "routing.whistle.resulted": "部门办完了",
    "routing.whistle.confirmed": "吹哨的人认可",
    "routing.whistle.returned": "退回部门再办",
    "routing.whistle.withdrawn": "收哨",
    "routing.whistle.disputed": "部门有异议",
    "routing.whistle.decided": "仲裁定了",
    "routing.whistle.extended": "部门延期",
    "routing.whistle.overdue": "报到超时",
    "routing.whistle.supervised": "哨上督办单",
    "deliberation.topic.proposed": "提议事",
    "deliberation.topic.screened": "议题审过",
    "deliberation.topic.ended": "议题了结",
    "deliberation.meeting.scheduled": "定了会期",
    "deliberation.meeting.moved": "会议改期",
    "deliberation.meeting.cancelled": "会议取消",
    "deliberation.meeting.reminded": "提醒开会",
    "deliberation.meeting.replied": "回复参会",
    "deliberation.meeting.opened": "开会",
    "deliberation.meeting.held": "会有结果",
    "deliberation.task.made": "派了任务",
    "directory.post.changed": "换了人",
    "directory.absence.changed": "有人请假或销假",
    "directory.district.imported": "导入了新的网格和人员",
    "notify.message.delivered": "消息送到",
    "notify.message.failed": "消息没送到",
    "notify.message.replied": "回了消息",
}
REASONS = {
    "assigned": "有事要办",
    "reminder": "催办",
    "night": "夜里的事",
    "unreachable": "有人联系不上",
    "emergency": "突发",
    "received": "告诉居民：收到了",
    "accepted": "告诉居民：有人接了",
    "asked": "问居民",
    "resolved": "问居民：解决了吗",
    "still-asking": "再问居民：解决了吗",
    "supervision": "督办",
    "reply": "答您的短信",
    "whistle": "吹哨",
    "whistle-returned": "请再办",
    "whistle-overdue": "报到超时",
    "reported-in": "部门到场",
    "result": "部门办完了",
    "invitation": "请来议事",
    "moved": "会议改期",
    "cancelled": "会议取消",
    "meeting-reminder": "提醒开会",
    "meeting-result": "会有结果",
}
CHANNELS = {"wechat": "微信", "wecom": "企业微信", "sms": "短信"}


def event_name(type_: str) -> str:
    """`cn.chuishao.routing.case.opened.v1` as people say it."""
    short = type_.removeprefix("cn.chuishao.").rpartition(".v")[0]
    return EVENTS.get(short, short)


def level_name(level: str) -> str:
    """`middle` as 中网格."""
    return LABEL.get(level, level)


def clock_time(at: datetime | str) -> str:
    """Hours, minutes and seconds in Shanghai."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(SHANGHAI).strftime("%H:%M:%S")


def date_time(at: datetime) -> str:
    """Day and time in Shanghai."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def limit_time(at: str, now: str) -> str:
    """A time beside `now`; the day is said when it is another one."""
    there, here = (datetime.fromisoformat(each).astimezone(SHANGHAI) for each in (at, now))
    return clock_time(there) if there.date() == here.date() else f"{there.month}月{there.day}日 {there:%H:%M}"


def span(seconds: float) -> str:
    """A length of time in words: 3小时12分, 4秒."""
    whole = max(round(seconds), 0)
    for size, big, small, part in (
        (86400, "天", "小时", 3600),
        (3600, "小时", "分", 60),
        (60, "分", "秒", 1),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{big}{rest}{small}" if rest else f"{whole // size}{big}"
    return f"{whole}秒"
