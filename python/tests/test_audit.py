"""The books of a long run: what callers were told beside what workers have noted, however late either is written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .chaos.audit import Audit
from .chaos.calls import Book

PIECES = 5


class Run:
    """A long run whose calls do what a test says."""

    def __init__(self, folder: Path) -> None:
        self._journal = folder / "journal"
        self._journal.touch()
        self.book = Book()
        self.audit = Audit(self.book, self._journal)

    def execute(self, token: str) -> None:
        with open(self._journal, "a") as file:
            file.write(f"{token}\n")

    def pieces(self, count: int) -> None:
        for _ in range(count):
            self.audit.close_piece()

    def problems(self) -> dict[str, int]:
        self.audit.end()
        return dict(self.audit.problems)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@pytest.mark.parametrize("pieces", range(PIECES))
@pytest.mark.parametrize("code", ["ok", "worker_crashed", "deadline_exceeded"])
def test_a_call_that_ran_long_before_its_outcome_is_known_is_no_problem(
    run: Run, code: str, pieces: int
) -> None:
    run.book.begin("a-1")
    run.execute("a-1")
    run.pieces(pieces)
    run.book.end("a-1", code)
    assert run.problems() == (
        {"no answer in a time that is long enough": 1} if code == "deadline_exceeded" else {}
    )


@pytest.mark.parametrize("pieces", range(PIECES))
def test_a_call_whose_beginning_is_heard_of_late_is_no_problem(run: Run, pieces: int) -> None:
    run.execute("a-1")
    run.pieces(pieces)
    run.book.begin("a-1")
    run.book.end("a-1", "ok")
    assert run.problems() == {}


@pytest.mark.parametrize("pieces", range(PIECES))
@pytest.mark.parametrize("code", ["deadline_exceeded", "connection_lost", "cancelled", "given up"])
def test_a_call_that_its_caller_has_given_up_may_run_at_any_later_time(
    run: Run, code: str, pieces: int
) -> None:
    run.book.begin("proxied-1")
    run.book.end("proxied-1", code)
    run.pieces(pieces)
    run.execute("proxied-1")
    assert run.problems() == {}


def answered_without_running(run: Run, pieces: int) -> None:
    run.book.begin("a-1")
    run.pieces(pieces)
    run.book.end("a-1", "ok")


def answered_before_it_ran(run: Run, pieces: int) -> None:
    run.book.begin("a-1")
    run.book.end("a-1", "ok")
    run.pieces(pieces + 2)
    run.execute("a-1")


def run_twice_at_different_times(run: Run, pieces: int) -> None:
    run.book.begin("a-1")
    run.execute("a-1")
    run.pieces(pieces)
    run.book.end("a-1", "ok")
    run.pieces(pieces)
    run.execute("a-1")


def given_up_and_run_twice(run: Run, pieces: int) -> None:
    run.book.begin("proxied-1")
    run.book.end("proxied-1", "given up")
    for _ in range(2):
        run.pieces(pieces)
        run.execute("proxied-1")


def refused_and_run(run: Run, pieces: int) -> None:
    run.book.begin("a-1")
    run.book.end("a-1", "overloaded")
    run.pieces(pieces)
    run.execute("a-1")


def never_heard_of_again(run: Run, pieces: int) -> None:
    run.book.begin("a-1")
    run.pieces(pieces)


def run_without_a_caller(run: Run, pieces: int) -> None:
    run.execute("a-1")
    run.pieces(pieces)


@pytest.mark.parametrize("pieces", range(PIECES))
@pytest.mark.parametrize(
    "fault",
    [
        answered_without_running,
        answered_before_it_ran,
        run_twice_at_different_times,
        given_up_and_run_twice,
        refused_and_run,
        never_heard_of_again,
        run_without_a_caller,
    ],
)
def test_what_should_not_be_is_found_however_late_it_happens(
    run: Run, fault: Callable[[Run, int], None], pieces: int
) -> None:
    fault(run, pieces)
    assert run.problems() != {}


def test_what_has_been_judged_is_not_held(run: Run) -> None:
    for number in range(1000):
        run.book.begin(f"a-{number}")
        run.execute(f"a-{number}")
        run.book.end(f"a-{number}", "ok")
    run.pieces(3)
    assert run.audit.held == 0
    assert run.problems() == {}
    assert run.audit.calls == 1000
