"""`make demo ARGS="--once --json"`: the README's first command, by the program that make runs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.shop.office import ALL_WAYS

pytestmark = [pytest.mark.slow]


def test_the_demo_tells_the_whole_story_and_every_check_of_it_holds(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    command = [sys.executable, "-m", "sandbox.demo", "--once", "--json", "--orders", "30", "--data", str(data)]
    shell = {**os.environ, "REDRIVE_SIGN_IN": "off"}  # as somebody may have it who develops
    done = subprocess.run(command, env=shell, capture_output=True, text=True, timeout=480, check=False)

    facts = json.loads(done.stdout.splitlines()[-1])
    assert (done.returncode, facts["ok"], facts["broken"]) == (0, True, []), done.stderr
    assert facts["failed"] == facts["collected"] == facts["first_redrive"]["failed_again"] > 0
    assert facts["second_redrive"]["succeeded"] == facts["second_redrive"]["sent"] == facts["failed"]
    assert (facts["lost"], facts["duplicated"], facts["side_effects_per_order_max"]) == (0, 0, 1)
    ways = facts["producers"]
    assert {"lambda-async-dlq/sqs", "lambda-destination/sqs", "sqs-redrive", *ALL_WAYS} == set(ways)
    assert all(way["collected"] == way["succeeded"] > 0 for way in ways.values())
    assert sum(way["collected"] for way in ways.values()) == facts["collected"]
    assert 1 < facts["groups"] < facts["failed"]
    assert {path.name for path in tmp_path.iterdir()} == {"demo"}


def test_the_demo_empties_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, "-m", "sandbox.demo", "--once", "--data", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert "was not made by the demo" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
