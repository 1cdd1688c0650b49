"""The commands, as a person at a terminal uses them, on a system of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.embedded.kafka import free_ports
from tests.telling import is_log_line

pytestmark = pytest.mark.system

PROGRAM = str(Path(sys.executable).with_name("chuishao"))
C = "150902-01-01"
READY_SECONDS = 90


@dataclass
class Running:
    """A system under `up`, and the commands around it."""

    data: Path
    port: int
    process: subprocess.Popen[str] | None = None

    def start(self, *options: str) -> str:
        """Starts it and returns what it printed up to and with the line `ready …`."""
        command = [PROGRAM, "up", "--data", str(self.data), "--port", str(self.port), *options]
        self.process = subprocess.Popen(command, text=True, stdout=subprocess.PIPE, env=environment())
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=30)
        return self.process.returncode

    def run(self, *arguments: str, code: int = 0) -> str:
        """A command's standard output; its exit code must be `code`."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--data", str(self.data)],
            text=True,
            capture_output=True,
            timeout=90,
            env=environment(),
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + (done.stderr if code else "")

    def call(self, path: str, who: str | None = None, body: object = None) -> dict[str, object]:
        headers = {"Content-Type": "application/json"}
        if who:
            headers["Authorization"] = f"Bearer {who}"
        content = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", content, headers)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return dict(json.load(answer))


def environment() -> dict[str, str]:
    return {**os.environ, "CHUISHAO_CLOCK": "adjustable"}


@pytest.fixture(scope="module")
def system() -> Iterator[Running]:
    data = Path(tempfile.mkdtemp(prefix="chuishao-cli-"))
    found = Running(data / "data", free_ports(1)[0])
    try:
        assert found.start("--policy", "demo", "--district", "small") == f"ready http://127.0.0.1:{found.port}\n"
        yield found
    finally:
        if found.process and found.process.poll() is None:
            found.stop()
        shutil.rmtree(data, ignore_errors=True)


def report(system: Running, place: str = f"{C}-L1-M1-S1-U1") -> str:
    body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": place}, "phone": "13912360001"}
    return str(system.call("/api/intake/issues", body=body)["id"])


def test_a_token_is_alone_on_standard_output_and_opens_what_its_owner_may_see(system: Running) -> None:
    token = system.run("token", "--post", f"{C}:desk").strip()
    issue = report(system)
    assert system.call(f"/api/intake/issues/{issue}", token)["id"] == issue
    assert system.run("token", "--phone", "139 1236 0001").count("\n") == 1
    assert "没有这个人" in system.run("token", "--person", "P999", code=1)
    system.run("token", code=2)


def test_a_healthy_system_passes_the_doctor(system: Running) -> None:
    report = json.loads(system.run("doctor", "--json"))
    assert report["ok"] is True
    names = {check["check"].split()[0] for check in report["checks"]}
    assert names >= {"database", "http", "migrations", "lag", "outbox", "deadlines", "quarantine", "channels"}


def test_an_hour_is_skipped_and_everything_it_made_due_has_happened(system: Running) -> None:
    issue = report(system)
    assert "都落定了" in system.run("clock", "--advance", "1h")
    told = json.loads(system.run("phone", "--person", "P016", "--json"))
    mine = [message for message in told if message["issue"] == issue]
    assert mine[0]["reason"] == "assigned"
    assert set(mine[0]) == {"channel", "person", "template", "reason", "issue", "hop", "text", "at"}
    assert (mine[0]["channel"], mine[0]["person"], mine[0]["hop"]) == ("wechat", "P016", 1)
    command = system.run("token", "--role", "command").strip()
    hops = system.call(f"/api/routing/cases/{issue}", command)["hops"]
    assert isinstance(hops, list)
    assert len(hops) > 1


def test_a_telephone_sends_through_the_providers_callback(system: Running) -> None:
    heard, answer = system.run("phone", "19900000016", "--send", "好的").splitlines()
    assert json.loads(heard)["code"] == 0
    assert "没看懂" in answer
    system.run("phone", "--person", "P016", "--send", "1", code=2)


def test_a_bad_workbook_is_refused_whole_with_sheet_and_row(system: Running, tmp_path: Path) -> None:
    file = tmp_path / "district.xlsx"
    file.write_bytes(b"no workbook at all")
    assert "什么也没导入" in system.run("district", "import", str(file), code=1)


def test_a_generated_district_can_be_imported_over_itself(system: Running, tmp_path: Path) -> None:
    file = tmp_path / "small.xlsx"
    made = subprocess.run(
        [PROGRAM, "district", "generate", "--size", "small", "--out", str(file)], env=environment(), timeout=60
    )
    assert made.returncode == 0
    assert "导入了 20 个网格" in system.run("district", "import", str(file))


def test_the_quarantine_is_empty_and_the_outbox_can_be_told_again(system: Running) -> None:
    assert json.loads(system.run("quarantine", "list", "--json")) == []
    report(system)
    assert "intake" in system.run("outbox", "replay", "--since", "1h")
    system.run("outbox", "replay", "--since", "yesterday", code=2)
    assert json.loads(system.run("quarantine", "list", "--json")) == []


def test_the_climb_of_a_closed_case_is_drawn_once(system: Running) -> None:
    body = {"category": "FAC.light", "text": "灯坏了", "place": {"grid": f"{C}-L1"}, "phone": "13912360002"}
    issue = system.call("/api/intake/issues", body=body)
    system.run("clock", "--advance", "1s")
    system.call(f"/api/routing/cases/{issue['id']}/withdraw?code={issue['track']}", body={})
    picture = system.run("watch", str(issue["number"]))
    assert "居民撤回" in picture
    assert "和平社区" in picture


def test_the_story_is_played_to_its_end(system: Running) -> None:
    told = system.run("story")
    assert "中网格空缺，当场跳过" in told
    assert "您说解决了，这件事办结了" in told


def test_every_line_of_its_log_is_of_the_one_schema(system: Running) -> None:
    system.run("doctor")
    lines = (system.data / "log" / "chuishao.log").read_text().splitlines()
    assert [line for line in lines if not is_log_line(line)] == []


def test_it_starts_without_a_word_about_what_a_broker_still_has_to_make(system: Running) -> None:
    assert "oordinator" not in (system.data / "log" / "chuishao.log").read_text()


def test_its_auditor_looks_by_itself(system: Running) -> None:
    found = {check["check"]: check["state"] for check in json.loads(system.run("doctor", "--json"))["checks"]}
    assert found["auditor"] == "ok"


def test_ctrl_c_stops_it_and_a_second_start_finds_everything_as_it_was(system: Running) -> None:
    issue = report(system)
    assert system.stop() == 0
    assert "没有找到正在运行的系统" in system.run("doctor", code=1)
    assert system.start() == f"ready http://127.0.0.1:{system.port}\n"
    token = system.run("token", "--role", "command").strip()
    assert system.call(f"/api/routing/cases/{issue}", token)["policy"].__str__().startswith("demo")
