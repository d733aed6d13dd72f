"""Amending the study file through the pages, on a folder of its own: the other tests keep theirs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onearm.conduct import AMENDMENT
from onearm.errors import OnearmError
from onearm.ledger import Draft, Key, Ledger
from onearm.study import load_study

HERE = Path(__file__).resolve()
AMENDED = ("range: [0, 30]", "range: [0, 25]")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a process of its own saw of an amendment: it changes the study file that is served."""
    folder = tmp_path_factory.mktemp("amended")
    script = HERE.parent / "amending.py"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("ONEARM", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    found["folder"] = str(folder)
    return dict(found)


def test_the_page_shows_what_changes_and_what_it_touches(told: dict[str, object]) -> None:
    page = str(told["page"])
    assert "forms/URINE/items/UPROT24H/range" in page
    assert "Values of an item that is defined otherwise: Urine · Protein, 24-hour urine" in page
    assert "1 signature becomes void" in page
    assert told["before approval"] == told["old"]  # reading and showing change nothing


def test_a_wrong_password_or_no_reason_puts_nothing_in_force(told: dict[str, object]) -> None:
    assert told["refused"] == [422, 422]
    assert told["after refusals"] == told["old"]


def test_an_approved_file_is_in_force_and_kept_beside_the_old_one(told: dict[str, object]) -> None:
    folder = Path(str(told["folder"]))
    assert load_study(folder / "study.yaml").hash == told["new"] != told["old"]
    assert sorted(p.stem for p in (folder / "versions").glob("*.yaml")) == sorted(
        [str(told["old"]), str(told["new"])]
    )
    assert list((folder / "versions").glob("*.proposed")) == []
    with Ledger.open(folder / "ledger.db") as ledger:
        (entry,) = ledger.history(AMENDMENT)
        assert (entry.value, entry.reason) == (told["new"], "narrower range")
        made = {e.study_hash for e in ledger.entries(after=entry.seq + 1) if e.key.kind != "study"}
    assert made == {told["new"]}
    assert told["void"] is True
    assert "narrower range" in str(told["cuts"])


def test_a_form_opened_before_the_amendment_is_not_saved_unseen(told: dict[str, object]) -> None:
    status, page = told["stale save"]  # type: ignore[misc]
    assert status == 422
    assert "The study file was amended since this page was opened" in page


def test_what_is_no_study_file_is_refused_in_words(told: dict[str, object]) -> None:
    for status, page in told["bad files"]:  # type: ignore[attr-defined]
        assert status == 422
        assert "versions" not in page  # no path of the server
    pages = [page for _status, page in told["bad files"]]  # type: ignore[attr-defined]
    assert "No file was chosen" in pages[0]
    assert "broken.yaml" in pages[1]
    assert "byte for byte" in pages[2]


def folder_with(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "study.yaml").write_text(text, encoding="utf-8")
    return path


def test_a_study_file_changed_by_hand_under_data_is_not_served(tmp_path: Path) -> None:
    from tests.web.conftest import STUDY

    from onearm.web.serve import _in_force

    text = STUDY.read_text(encoding="utf-8")
    folder = folder_with(tmp_path / "hand", text)
    study = load_study(folder / "study.yaml")
    with Ledger.open(folder / "ledger.db", create=True) as ledger:
        assert _in_force(folder, study, ledger).hash == study.hash
        changed = folder / "study.yaml"
        changed.write_text(text.replace(*AMENDED), encoding="utf-8")
        # Before anything is recorded, a study file is still being written.
        assert _in_force(folder, load_study(changed), ledger).hash != study.hash
        key = Key("subject", "S1", "URINE", "UPROT24H", "M-3")
        ledger.record(
            [Draft(key, "1.8", "g/(24.h)")],
            by="c", role="coordinator", site="A", study_hash=study.hash,
        )  # fmt: skip
        with pytest.raises(OnearmError, match="is not the version in force"):
            _in_force(folder, load_study(changed), ledger)


def test_an_amendment_cut_short_by_a_crash_is_finished_at_the_next_start(tmp_path: Path) -> None:
    from tests.web.conftest import STUDY

    from onearm.web.serve import _in_force

    text = STUDY.read_text(encoding="utf-8")
    folder = folder_with(tmp_path / "crash", text)
    study = load_study(folder / "study.yaml")
    with Ledger.open(folder / "ledger.db", create=True) as ledger:
        _in_force(folder, study, ledger)
        new = folder / "new.yaml"
        new.write_text(text.replace(*AMENDED), encoding="utf-8")
        amended = load_study(new)
        new.replace(folder / "versions" / f"{amended.hash}.yaml")
        ledger.record(
            [Draft(AMENDMENT, amended.hash, reason="narrower range")],
            by="investigator", role="investigator", site="A", study_hash=study.hash,
        )  # fmt: skip
        # Recorded, and then the power went: study.yaml is the old one.
        assert _in_force(folder, study, ledger).hash == amended.hash
    assert load_study(folder / "study.yaml").hash == amended.hash
