"""The wheel as a stranger installs it: an empty environment, another directory, one command."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).parent / "uv"
UNREACHABLE = re.compile(
    r"dns error|error sending request|failed to fetch|name resolution|network is unreachable|"
    r"connection (refused|reset|aborted)|NewConnectionError|timed out|ConnectError",
    re.IGNORECASE,
)

pytestmark = pytest.mark.slow


def step(what: str, *command: object, cwd: Path = ROOT) -> str:
    """Run a command; skip the test only where the package index could not be reached."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    done = subprocess.run(
        [str(c) for c in command], cwd=cwd, env=clean, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    if done.returncode and UNREACHABLE.search(said):
        pytest.skip(f"{what}: the package index cannot be reached from here")
    assert done.returncode == 0, f"{what}: {said}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this tree."""
    out = tmp_path_factory.mktemp("dist")
    if UV.exists():
        step("build", UV, "build", "--wheel", "--out-dir", out, ROOT)
    else:
        step("build", sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out)
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of an environment that holds the wheel and what it requires, nothing else."""
    place = tmp_path_factory.mktemp("installed") / "venv"
    constraints = ROOT / "constraints.txt"
    if UV.exists():
        step("environment", UV, "venv", "--python", sys.executable, place)
        install = [UV, "pip", "install", "--python", place]
    else:
        step("environment", sys.executable, "-m", "venv", place)
        install = [place / "bin" / "python", "-m", "pip", "install"]
    step("installation", *install, "-c", constraints, wheel)
    return place / ("Scripts" if os.name == "nt" else "bin")


def test_the_wheel_holds_the_program_its_studies_and_fonts_with_their_licences_and_no_test(
    wheel: Path,
) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "onearm/cli.py",
        "onearm/py.typed",
        "onearm/report/templates/report.html.j2",
        "onearm/report/templates/report.css",
        "onearm/report/fonts/OFL.txt",
        "onearm/studies/lupus-msc/abstract-2018.yaml",
        "onearm/studies/lupus-msc/records/entries.csv",
        "onearm/studies/lupus-msc/records/corrections.csv",
    ):
        assert needed in names
    assert any(n.endswith("licenses/LICENSE") for n in names)
    assert not [n for n in names if "test" in n.lower() or n.endswith((".pyc", ".db"))]
    assert {n.partition("/")[0].partition("-")[0] for n in names} == {"onearm"}


def test_a_stranger_makes_the_demo_from_another_directory(installed: Path, tmp_path: Path) -> None:
    out = tmp_path / "X"
    text = step("demo", installed / "onearm", "demo", "--out", out, cwd=tmp_path)
    assert {p.name for p in out.iterdir()} == {"study.yaml", "ledger.db", "report.html"}
    assert "15 of 15 published numbers reproduced." in text
    html = (out / "report.html").read_text(encoding="utf-8")
    assert html.startswith("<!doctype html>")
    assert "Constructed data, not patient data." in html
    whole = step("verify", installed / "onearm", "verify", out, cwd=tmp_path)
    assert whole.startswith("The ledger is whole: 1161 entries")
    step("new", installed / "onearm", "new", tmp_path / "mine", cwd=tmp_path)
    step("check", installed / "onearm", "check", tmp_path / "mine", cwd=tmp_path)


def test_what_runs_there_is_the_wheel_and_nothing_of_this_tree_or_its_tools(
    installed: Path, tmp_path: Path
) -> None:
    asks = (
        "import importlib.util as u, onearm\n"
        "print(onearm.__file__)\n"
        "print(*(n for n in ('pytest', 'hypothesis', 'mypy', 'playwright', 'statsmodels') if u.find_spec(n)))\n"
    )
    program = installed / ("python.exe" if os.name == "nt" else "python")
    place, *tools = step("import", program, "-c", asks, cwd=tmp_path).splitlines()
    assert Path(place).is_relative_to(installed.parent)
    assert "".join(tools).strip() == ""
