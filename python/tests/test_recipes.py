"""The Python side of examples/recipes. Whose library is not installed is skipped."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from gotask.errors import InvalidArguments, RemoteError
from gotask.testing import Args, TestWorker

RECIPES = Path(__file__).parents[2] / "examples" / "recipes"
SAMPLES = RECIPES / "samples"


def recipe(name: str, *needs: str) -> TestWorker:
    for module in needs:
        pytest.importorskip(module)
    return TestWorker(RECIPES / f"{name}.py")


# -- thumbnails -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def thumbnails() -> Iterator[TestWorker]:
    with recipe("thumbnails", "PIL") as worker:
        yield worker


def make(thumbnails: TestWorker, picture: bytes, sizes: list[int]) -> dict[int, Any]:
    from PIL import Image

    made = thumbnails.call("Thumbnails.Make", Args(picture, sizes=sizes))
    return {size: Image.open(io.BytesIO(webp)) for size, webp in made.items()}


def test_a_picture_that_was_taken_sideways_is_upright(thumbnails: TestWorker) -> None:
    made = make(thumbnails, (SAMPLES / "sideways.jpg").read_bytes(), [320, 96])

    assert {size: image.size for size, image in made.items()} == {320: (320, 213), 96: (96, 64)}
    red, _, blue = made[320].getpixel((5, 5))
    assert red > blue + 60, "its sky is at the top"


def test_transparency_stays(thumbnails: TestWorker) -> None:
    image = make(thumbnails, (SAMPLES / "round.png").read_bytes(), [96])[96]

    assert image.mode == "RGBA" and image.getpixel((0, 0))[3] == 0


def picture_of(width: int, height: int) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.new("1", (width, height)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "picture, why",
    [
        (
            lambda: (SAMPLES / "cut-off.jpg").read_bytes(),
            "this picture can't be read: image file is truncated",
        ),
        (lambda: b"GIF89a", "this picture can't be read: cannot identify image file"),
        (lambda: b"", "this picture can't be read: cannot identify image file"),
        (lambda: picture_of(9000, 6000), "the picture has 9000 × 6000 pixels, more than 50000000"),
    ],
    ids=["cut off", "header alone", "empty", "bomb"],
)
def test_a_bad_picture_is_told_from_other_failures(thumbnails: TestWorker, picture: Any, why: str) -> None:
    with pytest.raises(RemoteError) as raised:
        thumbnails.call("Thumbnails.Make", Args(picture(), sizes=[96]))

    assert raised.value.type == "thumbnails.BadImage"
    assert raised.value.message.startswith(why)


# -- a report ---------------------------------------------------------------------------------------------------------

CSV = b"day,region,price,quantity,note\n2026-01-31,South,2.50,4,\n2026-02-01,South,1.00,1,x\n2026-01-02,West,3.10,2,\n"
TABLE = [
    {"region": "South", "month": "2026-01", "quantity": 4, "turnover": 10.0},
    {"region": "South", "month": "2026-02", "quantity": 1, "turnover": 1.0},
    {"region": "West", "month": "2026-01", "quantity": 2, "turnover": 6.2},
]


@pytest.fixture(scope="module")
def report() -> Iterator[TestWorker]:
    with recipe("report", "pandas", "openpyxl") as worker:
        yield worker


@pytest.mark.parametrize("size", [len(CSV), 7, 1])
def test_a_report_of_what_comes_in_pieces(report: TestWorker, size: int) -> None:
    pieces = [CSV[at : at + size] for at in range(0, len(CSV), size)]

    assert report.call("Report.Sales", input=pieces) == {
        "rows": 3,
        "table": TABLE,
        "regions": {"South": 11.0, "West": 6.2},
    }


def test_a_report_of_a_file(report: TestWorker, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_bytes(CSV)

    assert report.call("Report.Sales", str(tmp_path / "sales.csv"))["table"] == TABLE


def test_a_table_without_a_column(report: TestWorker) -> None:
    with pytest.raises(RemoteError, match="ValueError: Usecols do not match columns.*price"):
        report.call("Report.Sales", input=[b"day,region,quantity\n"])


def test_a_workbook_has_the_table_and_a_chart(report: TestWorker) -> None:
    from openpyxl import load_workbook

    sheet = load_workbook(io.BytesIO(report.call("Report.Workbook", TABLE)))["Turnover"]

    rows = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert rows == [["month", "South", "West"], ["2026-01", 10, 6.2], ["2026-02", 1, 0]]
    assert len(sheet._charts) == 1


# -- a model ------------------------------------------------------------------------------------------------------------

FLOWER = {"sepal_length": "5.1", "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}


@pytest.fixture(scope="module")
def flowers() -> Iterator[TestWorker]:
    with recipe("flowers", "sklearn") as worker:
        yield worker


def test_a_guess_says_which_model_has_made_it(flowers: TestWorker) -> None:
    guess = flowers.call("Flowers.Guess", FLOWER)
    (again, other) = flowers.call(
        "Flowers.GuessAll", [FLOWER, FLOWER | {"petal_length": 6, "petal_width": 2.2}]
    )

    assert guess["species"] == "setosa" and guess["probability"] > 0.9
    assert again == guess
    assert other["species"] == "virginica" and other["model"] == guess["model"]
    assert "scikit-learn" in guess["model"]
    assert flowers.call("Flowers.GuessAll", []) == []


@pytest.mark.parametrize(
    "wrong, argument",
    [({"petal_width": "wide"}, "flower.petal_width"), ({"petal_width": -1}, "flower")],
)
def test_no_flower(flowers: TestWorker, wrong: dict[str, Any], argument: str) -> None:
    with pytest.raises(InvalidArguments) as refused:
        flowers.call("Flowers.Guess", FLOWER | wrong)
    assert refused.value.data is not None and refused.value.data["argument"] == argument


# -- a PDF ----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pdf() -> Iterator[TestWorker]:
    with recipe("pdf", "pypdf") as worker:
        yield worker


def encrypted(document: bytes) -> bytes:
    import pypdf

    writer, file = pypdf.PdfWriter(), io.BytesIO()
    for page in pypdf.PdfReader(io.BytesIO(document)).pages:
        writer.add_page(page)
    writer.encrypt("secret")
    writer.write(file)
    return file.getvalue()


LETTER = (SAMPLES / "letter.pdf").read_bytes()


def test_each_page_of_a_pdf(pdf: TestWorker) -> None:
    pages = list(pdf.stream("Pdf.Pages", LETTER))

    assert [page["text"].strip() for page in pages] == [
        "Dear reader,",
        "this letter has three pages,",
        "and here it ends.",
    ]
    assert pages[1]["number"] == 2 and pages[1]["of"] == 3
    assert len(list(pdf.stream("Pdf.Pages", LETTER, most=1))) == 1


def test_an_encrypted_pdf(pdf: TestWorker) -> None:
    document = encrypted(LETTER)
    with pytest.raises(RemoteError, match="this password does not open it") as raised:
        list(pdf.stream("Pdf.Pages", document))

    assert raised.value.data == {"why": "password"}
    assert len(list(pdf.stream("Pdf.Pages", Args(document, password="secret")))) == 3


@pytest.mark.filterwarnings("ignore::Warning")  # pypdf's own, of what is wrong with it
@pytest.mark.parametrize("document", [b"", b"no PDF", LETTER[:600], LETTER.replace(b"/Pages", b"/Nages")])
def test_a_broken_pdf(pdf: TestWorker, document: bytes) -> None:
    with pytest.raises(RemoteError, match="the PDF can't be read") as raised:
        list(pdf.stream("Pdf.Pages", document))

    assert raised.value.type == "pdf.BadPdf" and raised.value.data == {"why": "broken"}


# -- tokens ---------------------------------------------------------------------------------------------------------------


def test_tokens_until_the_reader_has_enough(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    with recipe("chat") as worker:
        assert "".join(worker.stream("Chat.Answer", Args("Down we go", most=2))).startswith("Down, ") is False
        tokens = list(worker.stream("Chat.Answer", Args("the Rabbit", most=1_000_000), most=3))

    assert len(tokens) == 3 and tokens[0] == "the "
    assert caplog.messages == ["the answer ended after 2 tokens", "the answer ended after 2 tokens"]


# -- a long job -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_bytes(b"a" * 3_000_000)
    (tmp_path / "in" / "deep" / "b.txt").write_text("b")
    return tmp_path / "in"


def test_a_long_job_tells_how_far_it_is(folder: Path) -> None:
    told: list[Any] = []
    with recipe("archive") as worker:
        target = folder.parent / "out.zip"
        done = worker.call(
            "archive", Args(str(folder), str(target)), on_progress=lambda *progress: told.append(progress)
        )

    assert done == {"files": 2, "bytes": 3_000_001, "packed": target.stat().st_size}
    assert ZipFile(target).namelist() == ["a.txt", "deep/b.txt"]
    assert [text for _, text, _ in told] == ["a.txt"] * 3 + ["deep/b.txt"]
    assert told[-1][0] == 1.0 and told == sorted(told)


def test_a_job_is_asked_for_and_ended(folder: Path) -> None:
    import archive  # type: ignore[import]  # the recipe, which TestWorker has imported

    jobs, target = archive.Jobs(), folder.parent / "out.zip"
    goes_on, told = threading.Event(), threading.Event()

    class Slow(archive.Job):  # type: ignore[misc]
        def tell(self, fraction: float, text: str) -> None:
            super().tell(fraction, text)
            told.set()
            assert goes_on.wait(60)

    async def one(stopped: bool) -> list[dict[str, Any]]:
        for event in (goes_on, told):
            event.clear()
        running = asyncio.create_task(jobs.archive("1", folder, target))
        await asyncio.to_thread(told.wait, 60)
        states = [await jobs.state("1")]
        if stopped:
            await jobs.cancel("1")
        goes_on.set()
        await running
        return [*states, await jobs.state("1")]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive, "Job", Slow)
        assert asyncio.run(jobs.state("1")) == {"state": "unknown"}
        running, cancelled = asyncio.run(one(stopped=True))
        left = list(folder.parent.iterdir())
        _, done = asyncio.run(one(stopped=False))

    assert running["state"] == "running" and 0 < running["fraction"] < 1 and running["text"] == "a.txt"
    assert cancelled == {"state": "cancelled"} and left == [folder]
    assert done["state"] == "done" and done["files"] == 2
