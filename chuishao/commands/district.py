"""`chuishao district`: a district as an Excel workbook, made or taken over."""

from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from chuishao.progress import Steps
from chuishao.target import DataDir, Target, console, errors, fail, find, run
from services.directory.domain.workbook import BadWorkbook, Workbook
from services.directory.files import read_workbook, small_district, write_workbook

app = typer.Typer(no_args_is_help=True, help="一个区：网格、人员、岗位 · a district")


@app.command()
def generate(
    out: Annotated[Path, typer.Option(help="写到哪个 .xlsx")],
    size: Annotated[Literal["seed", "small"], typer.Option(help="seed 是集宁区的规模")] = "seed",
    seed: Annotated[int, typer.Option(help="同一个数出同一个区")] = 1,
) -> None:
    """生成一个区的工作簿 · a district's workbook; the same seed gives the same district."""
    from services.directory.domain.generate import generate as generate_district

    with Steps() as steps:
        steps.step("生成")
        workbook = generate_district(seed) if size == "seed" else small_district()
        steps.step("写文件")
        try:
            write_workbook(workbook, out)
        except OSError as error:
            fail(f"写不了 {out}（{error.strerror}）", "the file cannot be written")
    console.print(f"{out}：{len(workbook.grids)} 个网格，{len(workbook.people)} 个人")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="工作簿 .xlsx")],
    data: DataDir = Path("data"),
) -> None:
    """导入一个区：要么全部，要么一行不动 · all or nothing; exit 1 names every bad row."""
    with Steps() as steps:
        steps.step("读工作簿")
        workbook = _read(file)
        steps.step("导入")
        run(_import(find(data), workbook, steps))


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="写到哪个 .xlsx；里面有姓名和手机号，只有您自己能读")],
    data: DataDir = Path("data"),
) -> None:
    """把现在的区写成工作簿，能原样导入 · the district as it is now; names and phones are in it, and that is logged."""
    with Steps() as steps:
        steps.step("读出")
        workbook = run(_export(find(data)))
        steps.step("写文件")
        try:
            out.touch(0o600)
            write_workbook(workbook, out)
        except OSError as error:
            fail(f"写不了 {out}（{error.strerror}）", "the file cannot be written")
    console.print(f"{out}：{len(workbook.grids)} 个网格，{len(workbook.people)} 个人")


async def _export(target: Target) -> Workbook:
    from services.directory.exporting import export_workbook
    from shared.db import make_engine

    owner = make_engine(target.postgres, pool=1, application="chuishao-export")
    try:
        return await export_workbook(owner, target.keys)
    finally:
        await owner.dispose()


def _read(file: Path) -> Workbook:
    try:
        return read_workbook(file)
    except OSError as error:
        fail(f"读不了 {file}（{error.strerror}）", "the file cannot be read")
    except BadWorkbook as error:
        _refuse(error)


async def _import(target: Target, workbook: Workbook, steps: Steps) -> None:
    from services.directory.importing import import_workbook
    from shared.db import make_engine

    owner = make_engine(target.postgres, pool=1, application="chuishao-import")
    try:
        report = await import_workbook(owner, target.keys, workbook, steps.line)
    except BadWorkbook as error:
        _refuse(error)
    finally:
        await owner.dispose()
    console.print(f"导入了 {report.grids} 个网格，{report.people} 个人，{report.posts} 个岗位")
    if report.voided:
        console.print(f"{report.voided} 个旧网格作废，停在那里的事会往上走")


def _refuse(error: BadWorkbook) -> NoReturn:
    """Every bad row with sheet, row, column and reason; nothing was imported."""
    for fault in error.rows:
        errors.print(str(fault), markup=False, soft_wrap=True)
    fail(f"{len(error.rows)} 处不对，什么也没导入", "nothing was imported")
