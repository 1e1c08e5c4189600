"""How messages name the broker's options."""

import json
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import pytest

from gotask import options
from gotask.broker.answers import too_large
from gotask.config import parse_arguments

PACKAGE = Path(__file__).parents[1]


class OptionNamesTest(unittest.TestCase):
    def setUp(self) -> None:
        options._names.cache_clear()
        self.addCleanup(options._names.cache_clear)

    def named(self, names: str) -> str:
        with mock.patch.dict("os.environ", {options.VARIABLE: names}):
            return str(too_large(2, 1))

    def test_by_its_flag(self) -> None:
        self.assertIn("(--max-payload of the worker)", self.named(""))

    def test_by_the_name_that_the_one_who_starts_it_has_for_it(self) -> None:
        self.assertIn(
            "(limits.max_payload of the worker)",
            self.named(json.dumps({"--max-payload": "limits.max_payload"})),
        )

    def test_by_its_variable_where_php_starts_it_and_has_no_such_flag(self) -> None:
        with mock.patch.object(options, "_is_php_s", True):
            self.assertIn("(GOTASK_MAX_PAYLOAD of the worker)", self.named(""))
            self.assertEqual("--start-timeout", options.option("--start-timeout"))

    def test_its_own_arguments_say_so_before_an_app_has_them(self) -> None:
        program = "import sys; from gotask import options; sys.argv = ['app.py']; print(options.option('--max-payload'))"
        for flag, name in {
            "--managed": "GOTASK_MAX_PAYLOAD",
            "--worker": "GOTASK_MAX_PAYLOAD",
            "": "--max-payload",
        }.items():
            told = subprocess.run(
                [sys.executable, "-c", program, flag], cwd=PACKAGE, capture_output=True, text=True, timeout=60
            )
            self.assertEqual(name, told.stdout.strip())

    def test_nonsense_changes_nothing(self) -> None:
        for names in ("{", "[]", "7", '{"--max-payload": 7}'):
            self.assertIn("(--max-payload of the worker)", self.named(names))
            options._names.cache_clear()


@pytest.mark.parametrize("way", ["option", "variable", "twice"])
def test_several_addresses_are_several_however_they_are_given(way: str) -> None:
    several = ["unix:///run/a,b.sock", "tcp://127.0.0.1:1", "tcp://[::1]:2"]
    joined = ", ".join(several)
    ways: dict[str, list[str]] = {
        "option": ["--address", joined],
        "variable": [],
        "twice": ["--address", several[0], "--address", ",".join(several[1:])],
    }
    environment = {"GOTASK_ADDRESS": f"{joined}," if way == "variable" else "unix:///other"}
    found = parse_arguments(["app.py", *ways[way]], environment, "0").addresses
    assert [str(address) for address in found] == several
