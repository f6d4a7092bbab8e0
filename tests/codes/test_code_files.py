"""Code tables in and out of files, as hospitals and spreadsheet programs write them."""

from datetime import date, datetime
from pathlib import Path
from zipfile import ZipFile

import pytest
from openpyxl import Workbook

from gateway.codes.findings import Kind
from gateway.codes.lines import Line
from gateway.codes.reading import Reader, known_codes
from gateway.codes.writing import write_lines
from gateway.model.code_table import Direction
from gateway.sheets import FileRefused

HEADINGS = "本院代码,本院名称,对方代码,对方名称,方向,首选,生效日期,失效日期,备注"
EVERYTHING = [
    Line("0577", "XGK", "血管科", "血管外科", preferred=True, note="二期"),
    Line("0103", "FSK", valid_from=date(2026, 1, 1), valid_to=date(2027, 1, 1)),
    Line("A,1", 'B"2', direction=Direction.OUT),
    Line("=1+1", "-5", direction=Direction.IN),
    Line("1E5", "𠮷田 㛃", "䶮"),
    Line("00", "1.10"),
]


def read(path: Path, **how: bool) -> Reader:
    reader = Reader(path, **how)
    reader.read()
    return reader


def csv(folder: Path, *rows: str, headings: str = HEADINGS, encoding: str = "utf-8") -> Path:
    path = folder / "codes.csv"
    path.write_bytes("\r\n".join((headings, *rows, "")).encode(encoding))
    return path


def xlsx(folder: Path, *rows: tuple[object, ...], formats: dict[str, str] | None = None) -> Path:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADINGS.split(","))
    for row in rows:
        sheet.append(row)
    for place, shown in (formats or {}).items():
        sheet[place].number_format = shown
    book.save(folder / "codes.xlsx")
    return folder / "codes.xlsx"


def kinds(reader: Reader) -> list[tuple[Kind, int]]:
    return [(finding.kind, finding.number) for finding in reader.findings]


# --- Out and in again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["codes.csv", "codes.xlsx"])
def test_an_export_gives_back_exactly_what_import_takes(tmp_path: Path, name: str):
    write_lines(tmp_path / name, EVERYTHING)
    found = read(tmp_path / name)
    assert (found.lines, found.findings) == (EVERYTHING, [])
    before = (tmp_path / name).read_bytes()
    write_lines(tmp_path / name, found.lines)
    assert name.endswith(".xlsx") or (tmp_path / name).read_bytes() == before


def test_spreadsheet_programs_read_the_export_as_utf_8(tmp_path: Path):
    write_lines(tmp_path / "codes.csv", EVERYTHING)
    assert (tmp_path / "codes.csv").read_bytes().startswith("\ufeff本院代码,本院名称".encode())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["codes.csv"]


def test_what_a_spreadsheet_would_carry_out_is_written_as_text(tmp_path: Path):
    write_lines(tmp_path / "codes.csv", [Line('=HYPERLINK("http://x")', "-"), Line("-5", "@A1")])
    written = (tmp_path / "codes.csv").read_text("utf-8-sig").splitlines()[1:]
    assert [line.partition(",双向")[0] for line in written] == ['"\'=HYPERLINK(""http://x"")",,\'-,', "-5,,'@A1,"]


# --- What hospitals write ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_any_encoding_of_a_hospital_is_read(tmp_path: Path, encoding: str):
    assert read(csv(tmp_path, "0103,放射科,FSK,𠮷䶮㛃,,,,,", encoding=encoding)).lines == [
        Line("0103", "FSK", "放射科", "𠮷䶮㛃")
    ]


def test_headings_are_known_by_several_names_and_in_any_order(tmp_path: Path):
    found = read(csv(tmp_path, "FSK,0103", headings="Theirs,Our Code (本院)")).lines
    assert found == [Line("0103", "FSK")]


def test_a_title_may_stand_above_the_headings(tmp_path: Path):
    found = read(csv(tmp_path, HEADINGS, "0103,,FSK,,,,,,", headings="放射科对照表,,,,,,,,"))
    assert [line.number for line in found.lines] == [3]


@pytest.mark.parametrize(
    ("written", "direction"),
    [
        ("", Direction.BOTH),
        ("双向", Direction.BOTH),
        ("本院到对方", Direction.OUT),
        ("->", Direction.OUT),
        ("对方到本院", Direction.IN),
        ("in", Direction.IN),
    ],
)
def test_a_row_may_go_one_way(tmp_path: Path, written: str, direction: Direction):
    assert read(csv(tmp_path, f"0103,,FSK,,{written},,,,")).lines[0].direction is direction


@pytest.mark.parametrize(
    "written",
    ["2026-11-28", "2026/11/28", "2026.11.28", "20261128", "2026年11月28日", "2026-11-28 00:00:00", "２０２６-11-28"],
)
def test_days_are_read_as_hospitals_write_them(tmp_path: Path, written: str):
    assert read(csv(tmp_path, f"0103,,FSK,,,,{written},,")).lines[0].valid_from == date(2026, 11, 28)


def test_days_that_mean_no_day_are_none(tmp_path: Path):
    (line,) = read(csv(tmp_path, "0103,,FSK,,,,1900-01-01,9999-12-31,")).lines
    assert (line.valid_from, line.valid_to) == (None, None)


def test_a_spreadsheet_s_days_and_text_are_read(tmp_path: Path):
    path = xlsx(tmp_path, ("0103", None, "FSK", None, None, True, datetime(2026, 11, 28), 46388, 7))  # noqa: DTZ001
    (line,) = read(path).lines
    assert (line.valid_from, line.valid_to) == (date(2026, 11, 28), date(2027, 1, 1))
    assert (line.preferred, line.note) == (True, "7")


def test_signs_by_which_people_keep_zeros_are_taken_off(tmp_path: Path):
    assert [line.ours for line in read(csv(tmp_path, '"=""0577""",,A,,,,,,', "'0578,,B,,,,,,")).lines] == [
        "0577",
        "0578",
    ]


# --- What is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("0103,,FSK,,,,2026-02-30,,", Kind.DATE),
        ("0103,,FSK,,,,28.11.26,,", Kind.DATE),
        ("0103,,FSK,,,,2026-11-28,2026-11-28,", Kind.DATE),
        ("0103,,FSK,,左,,,,", Kind.WORD),
        ("0103,,FSK,,,或许,,,", Kind.WORD),
        (f"{'x' * 101},,FSK,,,,,,", Kind.LONG),
        (f"0103,{'x' * 501},FSK,,,,,,", Kind.LONG),
        ("1.00E+05,,FSK,,,,,,", Kind.SPREADSHEET),
        ("3月1日,,FSK,,,,,,", Kind.SPREADSHEET),
        ("1-Mar,,FSK,,,,,,", Kind.SPREADSHEET),
        ("0103,,2026/3/1,,,,,,", Kind.SPREADSHEET),
        ("0103,,#N/A,,,,,,", Kind.SPREADSHEET),
        ("0103,,(NULL),,,,,,", Kind.SPREADSHEET),
        ("nan,,FSK,,,,,,", Kind.SPREADSHEET),
    ],
)
def test_a_row_that_cannot_be_understood_stops_the_import_with_its_place(tmp_path: Path, row: str, kind: Kind):
    found = read(csv(tmp_path, "0101,,A,,,,,,", row))
    assert kinds(found) == [(kind, 3)]
    assert kind.stops
    assert [line.ours for line in found.lines] == ["0101"]


def test_a_code_that_only_looks_damaged_can_be_taken_as_written(tmp_path: Path):
    assert read(csv(tmp_path, "1-Mar,,1E+5,,,,,,"), as_written=True).lines == [Line("1-Mar", "1E+5")]


def test_a_row_without_a_code_is_left_out_and_said(tmp_path: Path):
    found = read(csv(tmp_path, "0103,放射科,,,,,,,", ",,FSK,放射科,,,,,", ",,,,,,,,", "0104,,X,,,,,,"))
    assert kinds(found) == [(Kind.EMPTY, 2), (Kind.EMPTY, 3)]
    assert [line.ours for line in found.lines] == ["0104"]
    assert not Kind.EMPTY.stops


def test_a_row_given_twice_is_taken_once(tmp_path: Path):
    found = read(csv(tmp_path, "0103,,FSK,,,,,,", "0103,,FSK,,双向,否,,,"))
    assert (kinds(found), len(found.lines)) == ([(Kind.REPEATED, 3)], 1)


def test_what_a_spreadsheet_made_of_codes_is_found(tmp_path: Path):
    rows = [
        ("0577", None, 577),
        (1e5, None, "A"),
        (datetime(2026, 3, 1), None, "B"),  # noqa: DTZ001
        (38.1, None, "C"),
        (123456789012345680, None, "D"),
    ]
    found = read(xlsx(tmp_path, *rows, formats={"A3": "0.00E+00"}))
    assert kinds(found) == [(Kind.NUMBER, 2), *((Kind.SPREADSHEET, number) for number in (3, 4, 5, 6))]
    assert found.lines == [Line("0577", "577")]


def test_a_number_shown_with_leading_zeros_keeps_them(tmp_path: Path):
    found = read(xlsx(tmp_path, (577, None, "A"), formats={"A2": "0000"}))
    assert (found.lines, found.findings) == ([Line("0577", "A")], [])


def test_a_code_that_lost_its_zero_is_seen_beside_the_others(tmp_path: Path):
    found = read(csv(tmp_path, "0577,,A,,,,,,", "578,,B,,,,,,", "1579,,C,,,,,,"))
    assert kinds(found) == [(Kind.ZEROS, 3)]
    assert "0578" in found.findings[0].text


def test_numbers_that_a_program_made_of_codes_stop_the_import(tmp_path: Path):
    found = read(csv(tmp_path, "577.0,,A00.0,,,,,,", "578.0,,A01.1,,,,,,", "X1,,B,,,,,,"))
    assert kinds(found) == [(Kind.SPREADSHEET, 2), (Kind.SPREADSHEET, 3)]
    assert "577: export the column as text" in found.findings[0].text
    assert kinds(read(csv(tmp_path, "45.0,,A,,,,,,", "45.11,,B,,,,,,"))) == [], "codes of procedures"
    assert kinds(read(csv(tmp_path, "577.0,,A,,,,,,"), as_written=True)) == []


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
def test_a_damaged_workbook_is_refused_in_one_line(tmp_path: Path, part: str):
    path, damaged = xlsx(tmp_path, ("0103", None, "FSK")), tmp_path / "damaged.xlsx"
    with ZipFile(path) as whole, ZipFile(damaged, "w") as torn:
        for name in whole.namelist():
            content = whole.read(name)
            torn.writestr(name, content[: len(content) // 2] if name == part else content)
    with pytest.raises(FileRefused, match="no usable"):
        read(damaged)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a,b\n1,2\n", "No row with the headings 本院代码 and 对方代码"),
        ("本院代码,对方代码,Ours\n1,2,3\n", "Two columns mean ours"),
        ("", "is empty"),
    ],
)
def test_a_file_that_is_no_table_of_codes_is_refused(tmp_path: Path, content: str, reason: str):
    path = tmp_path / "codes.csv"
    path.write_text(content, "utf-8")
    with pytest.raises(FileRefused, match=reason):
        read(path)


def test_a_list_of_the_hospital_s_codes_needs_only_codes(tmp_path: Path):
    path = csv(tmp_path, "0577 ,血管科", "０５７８,", headings="代码,名称")
    assert known_codes(path) == {"0577": "0577", "0578": "０５７８"}
