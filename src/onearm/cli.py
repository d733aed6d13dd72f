"""The command line: read, call one function, show. Heavy imports wait for the command that needs them."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable, Sequence
from datetime import date
from errno import EPIPE
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from onearm import __version__
from onearm.errors import ExchangeError, LedgerError, OnearmError, Problem, StudyError

if TYPE_CHECKING:
    from onearm.analysis import BeforeAfter
    from onearm.ledger import Ledger, Snapshot
    from onearm.records import FormKey
    from onearm.report.drawing import Draw
    from onearm.study import Study

FINE, PROBLEMS, MISUSE = 0, 1, 2
DEMO = "onearm demo"  # who the demonstration's entries are by
F = TypeVar("F", bound=Callable[..., Any])


# -- shared ---------------------------------------------------------------------------------------


def guarded(command: F) -> F:
    """Errors that onearm raises on purpose are printed without a traceback; the exit code is 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> Any:
        try:
            return command(*args, **options)
        except OnearmError as error:
            messages = getattr(error, "messages", [str(error)])
            if options.get("json_"):
                as_json({"problems": messages})
                sys.exit(PROBLEMS)
            for message in messages:
                click.echo(message, err=True)
            if isinstance(error, StudyError | ExchangeError):
                count = len(messages)
                click.echo(
                    f"{count} problem{'s' if count != 1 else ''}; nothing was done.", err=True
                )
        except OSError as error:
            if error.errno == EPIPE or error.filename is None:
                raise  # a reader such as `head` that has had enough is click's business
            click.echo(f"{error.filename}: {error.strerror}; name another place", err=True)
        sys.exit(PROBLEMS)

    return run  # type: ignore[return-value]


def as_json(value: object) -> None:
    """Print a result as JSON; escaped where the console could not show every letter."""
    utf8 = str(getattr(sys.stdout, "encoding", "")).lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, indent=2, ensure_ascii=not utf8, default=str))


def study_path(place: Path) -> Path:
    """The study file of STUDY: the file itself, or study.yaml in a folder."""
    if place.is_dir():
        path = place / "study.yaml"
        if not path.exists():
            raise click.UsageError(
                f"{place}: the folder holds no study.yaml; give a study file, or a folder made by `onearm new` or "
                "`onearm demo`"
            )
        return path
    if not place.exists():
        raise click.UsageError(
            f"{place}: no such file or folder; give a study file or the folder it is in"
        )
    return place


def load(place: Path) -> Study:
    """Load the study file of STUDY."""
    from onearm.study import load_study

    return load_study(study_path(place))


def ledger_of(place: Path, database: str | None, *, create: bool = False) -> Ledger:
    """Open the ledger of STUDY: ledger.db beside the study file, or a PostgreSQL URL."""
    from onearm.ledger import Ledger

    folder = place if place.is_dir() else place.parent
    return Ledger.open(database or folder / "ledger.db", create=create)


def as_of_option(text: str | None) -> str | int | None:
    """``--as-of``: an entry's number, or a time."""
    return int(text) if text is not None and text.isdigit() and len(text) < 8 else text


def cut_of(ledger: Ledger, as_of: str | None) -> tuple[Snapshot, list[Any]]:
    """A data cut and every entry up to it; a damaged ledger is not read."""
    refuse_damaged(ledger)
    snapshot = ledger.snapshot(as_of_option(as_of))
    return snapshot, [e for e in ledger.entries() if e.seq <= snapshot.head.seq]


def refuse_damaged(ledger: Ledger) -> None:
    """Nothing is shown from a ledger that was tampered with."""
    damages = ledger.verify()
    if damages:
        first = damages[0]
        where = f"entry {first.seq}" if first.seq else "the ledger"
        raise LedgerError(
            f"ledger.db: {where}: {first.kind}: {first.message}\n"
            "Nothing was read from the damaged ledger; `onearm verify` lists all that was found. Keep the file."
        )


def aligned(rows: Sequence[Sequence[str]], right: Sequence[int] = (), indent: str = "") -> str:
    """Rows as text columns; ``right`` names those that are aligned right."""
    widths = [max(len(r[i]) for r in rows if i < len(r)) for i in range(max(map(len, rows)))]
    lines = []
    for r in rows:
        parts = [
            c.rjust(w) if i in right else c.ljust(w)
            for i, (c, w) in enumerate(zip(r, widths, strict=False))
        ]
        lines.append((indent + "  ".join(parts)).rstrip())
    return "\n".join(lines)


PLACE = click.argument("study", metavar="STUDY", type=click.Path(path_type=Path))
DATABASE = click.option(
    "--database", metavar="URL", help="A PostgreSQL ledger instead of ledger.db."
)
JSON = click.option("--json", "json_", is_flag=True, help="Print the result as JSON.")


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="onearm")
def main() -> None:
    """Run a small single-arm before-after trial of cell therapy from one study file.

    STUDY is a study file, or a folder that holds study.yaml and ledger.db.
    Exit codes: 0 fine, 1 problems found, 2 misuse.
    """
    # A command is short-lived and builds large tables: collecting garbage seldom saves a sixth of its time.
    gc.set_threshold(100_000, 50, 50)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(
                errors="replace"
            )  # a console that lacks a letter shows ? and goes on


# -- demo and new ---------------------------------------------------------------------------------


def studies() -> Path:
    """The studies that come with onearm: inside the installed package, else beside the source."""
    inside = Path(__file__).parent / "studies"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "studies"


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="The folder to make.",
)
@JSON
@guarded
def demo(out: Path, json_: bool) -> None:
    """Make the trial onearm was born from, on constructed records, from study file to report.

    OUT then holds study.yaml, ledger.db and report.html. A demo made before is replaced; a folder that holds
    anything else is left alone.
    """
    from onearm.report.drawing import beside

    with beside() as draw:
        _clear_demo(out)
        summary = _make_demo(out, _progress(json_), draw)
    if json_:
        as_json(summary)
        return
    click.echo(_summary_text(summary))


def _make_demo(out: Path, steps: Callable[[str], None], draw: Draw) -> dict[str, Any]:
    from onearm.exchange.entries import import_entries
    from onearm.study import load_study

    source = studies() / "lupus-msc"
    (out / "study.yaml").write_bytes((source / "abstract-2018.yaml").read_bytes())
    study = load_study(out / "study.yaml")
    with ledger_of(out, None, create=True) as ledger:
        for name in ("entries.csv", "corrections.csv"):
            steps(f"recording {name}")
            import_entries(
                study,
                ledger,
                source / "records" / name,
                by=DEMO,
                role="demonstration",
                site="",
                today=date.today(),
            )
        steps("analysing and writing the report")
        return _write_report(study, ledger, None, out / "report.html", draw)


def _clear_demo(out: Path) -> None:
    """Make room in OUT: only an untouched demo is ever removed, never what somebody wrote or entered."""
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"{out} is a file; name a folder to make")
    found = {p.name for p in out.iterdir()} if out.exists() else set()
    if found and (found - {"study.yaml", "ledger.db", "report.html"} or not _is_demo(out)):
        raise click.UsageError(
            f"{out} holds something that no demo left there (a file, an edit or an entry of somebody's); "
            "name another folder with --out"
        )
    out.mkdir(parents=True, exist_ok=True)
    for name in found:
        (out / name).unlink()


def _is_demo(out: Path) -> bool:
    """Entries made by demos alone, and the study file they were made under."""
    from hashlib import sha256

    try:
        study = sha256((out / "study.yaml").read_bytes()).hexdigest()
        with ledger_of(out, None) as ledger:
            made = {(entry.by, entry.study_hash) for entry in ledger.entries()}
    except (OnearmError, OSError):
        return False
    return made == {(DEMO, study)}


def _progress(silent: bool) -> Callable[[str], None]:
    def say(text: str) -> None:
        if not silent and sys.stderr.isatty():
            click.echo(f"  {text} ...", err=True)

    return say


@main.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="A study file to begin with; default: the 2018 abstract.",
)
@guarded
def new(folder: Path, source: Path | None) -> None:
    """Begin a study: a FOLDER with a study file to edit and an empty ledger."""
    from onearm.study import load_study

    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise click.UsageError(f"{folder} is not empty; name a folder that does not exist yet")
    source = study_path(source) if source else studies() / "lupus-msc" / "abstract-2018.yaml"
    text = source.read_bytes()
    load_study(source)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.yaml").write_bytes(text)
    ledger_of(folder, None, create=True).close()
    click.echo(
        f"{folder}/study.yaml   the study file, from {source.name}: edit it, then `onearm check {folder}`"
    )
    click.echo(
        f"{folder}/ledger.db    the ledger, empty: `onearm import {folder} FILE.csv --by NAME --role ROLE`"
    )


# -- the study file -------------------------------------------------------------------------------


@main.command()
@PLACE
@JSON
@guarded
def check(study: Path, json_: bool) -> None:
    """Check a study file and print the study as a person reads a protocol."""
    from onearm.study.words import describe

    try:
        value = load(study)
    except StudyError as error:
        if not json_:
            raise
        as_json({"study": str(study), "valid": False, "problems": error.messages})
        sys.exit(PROBLEMS)
    if json_:
        as_json({"study": value.id, "valid": True, "hash": value.hash, "problems": []})
        return
    click.echo(describe(value))


@main.command()
@click.argument("a", metavar="A", type=click.Path(path_type=Path))
@click.argument("b", metavar="B", type=click.Path(path_type=Path))
@JSON
@guarded
def diff(a: Path, b: Path, json_: bool) -> None:
    """Say in words how two study files differ. Exit code 1 when they do."""
    from onearm.study.words import describe_diff
    from onearm.study.words import diff as compare_studies

    left, right = load(a), load(b)
    found = compare_studies(left, right)
    if json_:
        as_json(
            [
                {"topic": d.topic, "path": d.path, "text": d.text, "a": d.left, "b": d.right}
                for d in found
            ]
        )
    else:
        click.echo(describe_diff(left, right))
    sys.exit(PROBLEMS if found else FINE)


# -- the ledger -----------------------------------------------------------------------------------


@main.command("import")
@PLACE
@click.argument("file", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.option("--by", required=True, help="Who enters: the name every entry carries.")
@click.option("--role", required=True, help="In which role, for example coordinator.")
@click.option("--site", default="", help="Where.")
@DATABASE
@JSON
@guarded
def import_(
    study: Path, file: Path, by: str, role: str, site: str, database: str | None, json_: bool
) -> None:
    """Record every row of a CSV file of entries: all of them, or on any problem none."""
    from onearm.exchange.entries import import_entries

    value = load(study)
    with ledger_of(study, database) as ledger:
        try:
            done = import_entries(
                value, ledger, file, by=by, role=role, site=site, today=date.today()
            )
        except ExchangeError as error:
            if not json_:
                raise
            as_json({"recorded": 0, "problems": error.messages})
            sys.exit(PROBLEMS)
        head = ledger.head()
    warnings = [f"{p.where}: {p.message} [{p.id}]" for p in done.warnings]
    if json_:
        as_json(
            {
                "recorded": len(done.entries),
                "unchanged": done.unchanged,
                "warnings": warnings,
                "head": str(head),
            }
        )
        return
    click.echo(f"{len(done.entries)} entries recorded, {done.unchanged} unchanged rows made none.")
    for warning in warnings:
        click.echo(f"  look at: {warning}")
    click.echo(f"Ledger head {head}")


@main.command()
@PLACE
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to bind to.")
@click.option("--tls-proxy", is_flag=True, help="A proxy that speaks TLS stands in front.")
@DATABASE
@guarded
def serve(study: Path, port: int, host: str, tls_proxy: bool, database: str | None) -> None:
    """Run the trial in the browser: forms, signatures, queries, audit trail."""
    from onearm.web.serve import serve as run

    folder = study_path(study).parent
    run(folder, host=host, port=port, database=database or "", tls_proxy=tls_proxy, say=click.echo)


@main.command()
@PLACE
@click.option(
    "--anchor", metavar="SEQ:HASH", help="A head noted earlier, for example from a report's foot."
)
@DATABASE
@JSON
@guarded
def verify(study: Path, anchor: str | None, database: str | None, json_: bool) -> None:
    """Recompute the ledger's chain; exit code 1 when anything in it was changed."""
    folder = study if study.is_dir() or not study.exists() else study.parent
    if not database and not folder.exists():
        raise click.UsageError(
            f"{study}: no such file or folder; give the folder that holds ledger.db"
        )
    with ledger_of(study, database) as ledger:
        damages = ledger.verify(anchor)
        head = None if damages else ledger.head()
    if json_:
        found = [{"seq": d.seq, "kind": d.kind, "message": d.message} for d in damages]
        as_json({"whole": not damages, "head": str(head) if head else None, "damages": found})
    elif damages:
        for d in damages:
            where = f"entry {d.seq}" if d.seq else "ledger"
            click.echo(f"{where}: {d.kind}: {d.message}")
        click.echo("The ledger is damaged. Keep it as it is, and compare it with a backup.")
    else:
        assert head is not None
        click.echo(f"The ledger is whole: {head.seq} entries, head {head}")
    sys.exit(PROBLEMS if damages else FINE)


@main.command()
@PLACE
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@DATABASE
@JSON
@guarded
def backup(study: Path, file: Path, database: str | None, json_: bool) -> None:
    """Write the whole study folder to one new FILE, also while it is served and written to."""
    from onearm.exchange.backup import back_up
    from onearm.web.copies import copy_accounts

    manifest = back_up(study_path(study).parent, file, database or "", copy_accounts)
    if json_:
        as_json(manifest)
        return
    ledger, accounts = manifest["ledger"], manifest["accounts"]
    click.echo(f"{file}: {ledger['entries']} entries, {accounts or 'no'} user accounts")
    click.echo(f"Ledger head {ledger['head']}")
    for words in manifest["left_out"]:
        click.echo(f"Not in it: {words}")


@main.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option(
    "--drill", is_flag=True, help="Restore beside DIR, prove it and a sign-in, leave nothing."
)
@JSON
@guarded
def restore(file: Path, folder: Path | None, drill: bool, json_: bool) -> None:
    """Restore a backup FILE into a new folder DIR, and prove that the two are the same."""
    from onearm.exchange import backup as backups

    signed_in = ""
    if drill:
        from onearm.web.copies import sign_in_on_copy

        manifest, rows, signed_in = backups.drill(file, sign_in_on_copy, folder)
    elif folder is None:
        raise click.UsageError("name the folder DIR to restore into, or add --drill")
    else:
        manifest, rows = backups.restore(file, folder)
    if json_:
        proof = [{"what": r.what, "backup": r.backup, "restored": r.restored} for r in rows]
        as_json({"made": manifest["made"], "proof": proof, "sign_in": signed_in or None})
        return
    table = [["", "backup", "restored"], *([r.what, r.backup, r.restored] for r in rows)]
    click.echo(aligned(table))
    if drill:
        click.echo(f"Sign-in: {signed_in}")
        click.echo("The drill succeeded: the restored copy was the same. It was removed again.")
    else:
        click.echo(f"{folder}: restored, and the same as the backup of {manifest['made']}.")


@main.command()
@PLACE
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@DATABASE
@guarded
def archive(study: Path, file: Path, database: str | None) -> None:
    """Write the finished study as a bundle of pages that opens with no server and no program."""
    from onearm.exchange.archive import write_archive
    from onearm.report.drawing import beside

    folder = study_path(study).parent
    with beside() as draw:

        def report(value: Study, ledger: Ledger, path: Path) -> None:
            _write_report(value, ledger, None, path, draw)

        manifest = write_archive(folder, file, report, _page_style(), database or "")
    click.echo(f"{file}: {manifest['ledger']['entries']} entries; unpack it and open index.html")
    click.echo(f"Ledger head {manifest['ledger']['head']}")
    for words in manifest["left_out"]:
        click.echo(f"Not in it: {words}")


def _page_style() -> str:
    """The report's style sheet with its letters, for pages that look as the report does."""
    from base64 import b64encode

    from onearm.report.figures import FONTS

    faces = ""
    for weight, name in ((400, "Regular"), (600, "SemiBold")):
        data = b64encode((FONTS / f"IBMPlexSans-{name}.woff2").read_bytes()).decode()
        faces += (
            f'@font-face{{font-family:"IBM Plex Sans";font-weight:{weight};'
            f'src:url(data:font/woff2;base64,{data}) format("woff2")}}\n'
        )
    return faces + (FONTS.parent / "templates" / "report.css").read_text(encoding="utf-8")


@main.command()
@PLACE
@click.option(
    "--on", "day", metavar="DATE", help="The date to judge visits by, ISO 8601; default: today."
)
@DATABASE
@JSON
@guarded
def status(study: Path, day: str | None, database: str | None, json_: bool) -> None:
    """Who is enrolled, which visits are due or overdue, what is open."""
    from onearm.checks import check_records, disposition, visit_states
    from onearm.conduct import awaiting_signature, deviations, enrolled, queries
    from onearm.product import exposures
    from onearm.records import Records

    today = _day(day)
    value = load(study)
    with ledger_of(study, database) as ledger:
        refuse_damaged(ledger)
        records = Records(value, ledger.snapshot())
    states = visit_states(records, today)
    found = deviations(records, exposures(records))
    problems = check_records(records, today) + [
        Problem(
            f"deviation.{d.source.replace(' ', '.')}", d.what, "warning", f"subject {d.subject}"
        )
        for d in found
        if d.source in ("eligibility", "product rule")
    ]
    ends = {s: disposition(records, s) for s in records.subjects}
    facts = {
        "study": value.id,
        "on": today.isoformat(),
        "data": records.snapshot.nature or "patient data",
        "planned": value.study.planned.treated,
        "screened": len(records.subjects),
        "screen_failures": sum(e == "screen failure" for e in ends.values()),
        "enrolled": sum(enrolled(records, s) for s in records.subjects),
        "infused": len(records.treated),
        "completed": sum(e == "completed" for e in ends.values()),
        "visits": [
            {
                "subject": s.subject,
                "visit": s.visit.id,
                "state": s.state,
                "target": s.target,
                "window_closes": s.closes,
            }
            for s in states
            if s.state in ("due", "overdue", "partial")
        ],
        "queries": [
            {
                **_place(q.form),
                "item": q.item,
                "number": q.number,
                "state": q.state,
                "words": q.words,
            }
            for q in queries(records)
            if q.state != "closed"
        ],
        "unsigned": [_place(key) for key in awaiting_signature(records)],
        "problems": [{"id": p.id, "where": p.where, "message": p.message} for p in problems],
    }
    if json_:
        as_json(facts)
    else:
        _show_status(value, facts, states)
    sys.exit(PROBLEMS if problems else FINE)


def _place(form: FormKey) -> dict[str, Any]:
    return {form.kind: form.about, "visit": form.visit, "form": form.form, "repeat": form.repeat}


def _day(text: str | None) -> date:
    if text is None:
        return date.today()
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"--on: '{text}' is not a date; write it as 2026-11-22") from None


def _show_status(study: Study, facts: dict[str, Any], states: Sequence[Any]) -> None:
    click.secho(f"{study.id}  {study.title}", bold=True)
    if facts["data"] != "patient data":
        click.echo(f"{facts['data'].capitalize()} data, not patient data.")
    names = ("planned", "screened", "screen_failures", "enrolled", "infused", "completed")
    click.echo(
        aligned([[n.replace("_", " "), str(facts[n])] for n in names], right=(1,), indent="  ")
    )
    click.echo("")
    marks = {
        "done": "●",
        "partial": "◐",
        "due": "○ due",
        "overdue": "! overdue",
        "planned": "·",
        "unscheduled": "–",
        "ended": "×",
    }
    visits = [v.id for v in study.schedule.visits]
    rows = [["", *visits]]
    by_subject: dict[str, dict[str, Any]] = {}
    for s in states:
        by_subject.setdefault(s.subject, {})[s.visit.id] = s
    for subject, found in by_subject.items():
        rows.append([subject, *(marks[found[v].state] for v in visits)])
    click.echo(aligned(rows, indent="  ") if by_subject else "  nobody is enrolled yet")
    click.echo("  ● done  ◐ partial  ○ due  ! overdue  · planned  – no infusion date  × ended\n")
    asked = [f"{_where(q)}, {q['item']}: {q['words']} [{q['state']}]" for q in facts["queries"]]
    told = [f"{p['where']}: {p['message']} [{p['id']}]" for p in facts["problems"]]
    for one, many, lines in (
        ("query not closed", "queries not closed", asked),
        ("unsigned form", "unsigned forms", [_where(f) for f in facts["unsigned"]]),
        ("open problem", "open problems", told),
    ):
        click.echo(f"{len(lines)} {one if len(lines) == 1 else many}" + (":" if lines else "."))
        for line in lines:
            click.echo(f"  {line}")


def _where(place: dict[str, Any]) -> str:
    """A filled-in form in words: what it is about, the visit, the form and which copy."""
    kind = next(k for k in place if k in ("subject", "donor", "lot"))
    copy = f" {place['repeat']}" if place["repeat"] != 1 else ""
    return f"{kind} {', '.join(p for p in (place[kind], place['visit'], place['form']) if p)}{copy}"


# -- the report -----------------------------------------------------------------------------------


@main.command()
@PLACE
@click.option(
    "--as-of",
    metavar="TIME",
    help="Data cut: a time (2026-11-22T12:00Z), a day, or an entry's number.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder for report.html; default: beside the study file.",
)
@DATABASE
@JSON
@guarded
def run(
    study: Path, as_of: str | None, out: Path | None, database: str | None, json_: bool
) -> None:
    """Analyse a data cut and write the report, one HTML file."""
    from onearm.report.drawing import beside

    folder = out or (study if study.is_dir() else study.parent)
    with beside() as draw:
        value = load(study)
        with ledger_of(study, database) as ledger:
            folder.mkdir(parents=True, exist_ok=True)
            summary = _write_report(value, ledger, as_of, folder / "report.html", draw)
    if json_:
        as_json(summary)
    else:
        click.echo(_summary_text(summary))


def _write_report(
    study: Study, ledger: Ledger, as_of: str | None, path: Path, draw: Draw
) -> dict[str, Any]:
    from onearm.analysis import run as analyse
    from onearm.records import Records
    from onearm.report.document import render_results

    snapshot, history = cut_of(ledger, as_of)
    results = analyse(Records(study, snapshot))
    path.write_text(render_results(results, history, draw), encoding="utf-8")
    return {
        "study": study.id,
        "data": snapshot.nature or "patient data",
        "as_of": snapshot.as_of,
        "ledger_head": str(snapshot.head),
        "study_hash": study.hash,
        "treated": len(results.data.records.treated),
        "analyses": [_outcome_facts(o) for o in results.outcomes if o.comparison],
        "responders": [_responder_facts(o) for o in results.outcomes if o.responders],
        "findings": [_finding_facts(o) for o in results.outcomes if o.found],
        "longitudinal": [_longitudinal_facts(o) for o in results.outcomes if o.longitudinal],
        "multiplicity": [
            {
                "id": j.outcome.analysis.id,
                "p": j.pvalue,
                "adjusted_p": j.adjusted,
                "rejected": j.rejected,
            }
            for j in results.judged
        ],
        "chance_without_effect": [_facts(c) for found in results.chances.values() for c in found],
        "published": [
            {"text": c.text, "published": c.value, "computed": c.computed, "agrees": c.agrees}
            for c in results.published
        ],
        "report": str(path),
    }


def _outcome_facts(outcome: Any) -> dict[str, Any]:
    c = outcome.comparison
    return {
        "id": outcome.analysis.id,
        "title": outcome.analysis.title,
        "role": outcome.analysis.role,
        "method": outcome.analysis.method,
        "baseline": outcome.baseline.label,
        "primary_baseline": outcome.primary_baseline,
        "n": c.n,
        "before": {"mean": c.before.mean, "sd": c.before.sd},
        "after": {"mean": c.after.mean, "sd": c.after.sd},
        "p": outcome.pvalue,
        "published_p": outcome.published,
        "decimals": outcome.measure.decimals,
        "worth": _worth_facts(outcome.worth),
        "missing_follow_up": [_facts(r) for r in outcome.follow_up.rows],
        "posterior": _posterior_facts(outcome.posterior, outcome.analysis.relevant or 0.0),
    }


def _worth_facts(w: Any) -> dict[str, Any] | None:
    """The change taken apart; percentages of the geometric mean where ``percent`` is true."""
    if w is None:
        return None
    return {
        "percent": w.percent,
        "observed": _facts(w.observed),
        "regression": _facts(w.regression),
        "after_regression": _facts(w.after_regression),
        "background": _facts(w.background),
        "background_from": w.comparator.id if w.comparator else None,
        "left": _facts(w.left),
        "left_is_less": list(w.taken_off),
        "own_test": _facts(w.own),
        "patients": w.n,
        "at_rho": [
            {"rho": rho, "after_regression": _facts(after), "left": _facts(left)}
            for rho, after, left in w.at_rho
        ],
        "probability_of_improvement_by_the_cells": w.better,
        "offset_t_p": w.pvalue("offset_t"),
        "offset_signed_rank_p": w.pvalue("offset_signed_rank"),
        "mee_chua_p": w.pvalue("mee_chua"),
        "tipping_rho": w.tipping.rho if w.tipping else None,
        "notes": list(w.notes),
    }


def _responder_facts(outcome: Any) -> dict[str, Any]:
    r, a = outcome.responders, outcome.anyway
    return {
        "id": outcome.analysis.id,
        "method": outcome.analysis.method,
        "baseline": outcome.baseline.label,
        "primary_baseline": outcome.primary_baseline,
        "responders": len(r.responders),
        "known": r.known,
        "unknown": len(r.unknown),
        "interval": _facts(r.interval),
        "p": outcome.pvalue,
        "expected_untreated": a.untreated.expected if a.untreated else None,
        "untreated_p": a.untreated.pvalue if a.untreated else None,
        "reference_p": a.reference.pvalue if a.reference else None,
        "posterior": _posterior_facts(a.posterior, None),
        "exceeds_earlier_arms": a.exceeds,
        "go": [{"probability": p, "met": met} for p, met in a.go],
        "notes": list(a.notes),
    }


def _finding_facts(outcome: Any) -> dict[str, Any]:
    f = outcome.found
    return {
        "id": outcome.analysis.id,
        "baseline": outcome.baseline.label,
        "primary_baseline": outcome.primary_baseline,
        "both": f.both,
        "lost": f.lost,
        "gained": f.gained,
        "neither": f.neither,
        "unknown": len(f.unknown),
        "p": outcome.pvalue,
        "difference": _facts(f.difference),
    }


def _longitudinal_facts(outcome: Any) -> dict[str, Any]:
    """The longitudinal model; where ``ratio`` is true means are geometric and changes ratios."""
    m = outcome.longitudinal
    return {
        "id": outcome.analysis.id,
        "title": outcome.analysis.title,
        "at": outcome.analysis.at,
        "baseline": outcome.baseline.label,
        "primary_baseline": outcome.primary_baseline,
        "p": outcome.pvalue,
        "ratio": m.ratio,
        "decimals": max(outcome.measure.decimals, 2) if m.ratio else outcome.measure.decimals,
        "patients": m.patients,
        "values": m.values,
        "absent": list(m.absent),
        "left_out": m.left_out,
        "covariance": m.covariance or None,
        "tried": [_facts(t) for t in m.tried],
        "sd": list(m.sds),
        "correlation": [list(row) for row in m.correlations],
        "df_method": outcome.analysis.df,
        "information": outcome.analysis.information,
        "visits": [
            {
                "visit": v.id or "baseline",
                "label": v.label,
                "day": v.day,
                "is_baseline": v.baseline,
                "patients": v.n,
                "mean": _facts(v.mean),
                "change": _change_facts(v.change),
                "complete_pairs": v.pairs.n if v.pairs else None,
                "paired_t_p": _pairs_p(v.pairs, ratio=m.ratio),
                "signed_rank_p": v.pairs.pratt.pvalue if v.pairs and v.pairs.pratt else None,
            }
            for v in m.visits
        ],
        "missing_values": [_facts(r) for r in m.missing],
        "missing_values_notes": list(m.missing_notes),
        "not_fitted_because": m.why or None,
        "notes": list(m.notes),
    }


def _change_facts(change: Any) -> dict[str, Any] | None:
    facts = _facts(change)
    return facts and {**facts, "line": _facts(change.line)}


def _pairs_p(pairs: Any, *, ratio: bool) -> float | None:
    """P of the t test of complete pairs, of log ratios where the model is of logarithms."""
    test = pairs and (pairs.ratio if ratio else pairs.t)
    return test.pvalue if test else None


def _posterior_facts(p: Any, at: float | None) -> dict[str, Any] | None:
    if p is None:
        return None
    facts = {
        "estimate": p.estimate,
        "lower": p.lower,
        "upper": p.upper,
        "level": p.level,
        "prior": p.prior,
    }
    return (
        facts if at is None else {**facts, "at": at, "probability_below": p.probability_below(at)}
    )


def _left_text(worth: dict[str, Any] | None, decimals: int) -> str:
    """The change less regression to the mean and background, with its interval."""
    from onearm.report.numbers import interval, number

    if worth is None or worth["left"] is None or len(worth["left_is_less"]) < 2:
        return "not known"
    left, d = worth["left"], 0 if worth["percent"] else decimals
    sign = " %" if worth["percent"] else ""
    shown = interval(left["lower"], left["upper"], d)
    return f"{number(left['estimate'], d)}{sign} ({shown})"


def _summary_text(summary: dict[str, Any]) -> str:
    from onearm.report.numbers import mean_sd, p_value

    rows = [["", "n", "before", "after", "exact P", "as published", "left for the cells"]]
    for a in summary["analyses"]:
        if not a["primary_baseline"]:
            continue
        d = a["decimals"]
        exact = p_value(a["p"]) + (
            "" if a["method"] == "signed_rank" else f" ({a['method'].replace('_', ' ')})"
        )
        rows.append(
            [
                a["title"],
                str(a["n"]),
                mean_sd(a["before"]["mean"], a["before"]["sd"], d),
                mean_sd(a["after"]["mean"], a["after"]["sd"], d),
                exact,
                p_value(a["published_p"]) if a["published_p"] is not None else "",
                _left_text(a["worth"], d),
            ]
        )
    rows[0][4] = "P"
    lines = [
        f"{summary['study']}: {summary['treated']} treated, data cut {summary['as_of'] or '(empty)'}"
    ]
    if summary["data"] != "patient data":
        lines.append(f"{summary['data'].capitalize()} data, not patient data.")
    lines += ["", aligned(rows, right=(1, 2, 3), indent="  ")] if len(rows) > 1 else []
    for model in summary["longitudinal"]:
        lines += _longitudinal_text(model) if model["primary_baseline"] else []
    checks = summary["published"]
    if checks:
        held = sum(c["agrees"] is True for c in checks)
        lines += ["", f"{held} of {len(checks)} published numbers reproduced."]
    lines += ["", f"Report: {summary['report']}"]
    return "\n".join(lines)


def _longitudinal_text(model: dict[str, Any]) -> list[str]:
    """One longitudinal model: a line for each visit, or why there is none."""
    from onearm.report.numbers import interval, number, p_value

    title = f"  {model['title']}, longitudinal model"
    if model["not_fitted_because"]:
        return ["", title, f"    not fitted: {model['not_fitted_because']}"]
    d, change = model["decimals"], "ratio to baseline" if model["ratio"] else "change"
    rows = [["", "patients", f"{change} (interval)", "df", "P"]]
    for v in model["visits"]:
        c = v["change"]
        told = ["", "", ""]
        if c:
            line = c["line"]
            shown = f"{number(line['estimate'], d)} ({interval(line['lower'], line['upper'], d)})"
            told = [shown, number(c["df"], 1), p_value(c["pvalue"])]
        rows.append([v["visit"], str(v["patients"]), *told])
    title += f" ({model['covariance']}, {model['df_method']})"
    return ["", title, aligned(rows, right=(1, 2, 3, 4), indent="    ")]


# -- recheck --------------------------------------------------------------------------------------


@main.command("recheck")
@click.argument("file", metavar="FILE.yaml", type=click.Path(path_type=Path))
@JSON
@guarded
def recheck_(file: Path, json_: bool) -> None:
    """Say what a report's printed numbers imply: which can be, and which test gives the printed P.

    FILE.yaml holds n, means, SDs, medians, percentages and P values as printed; docs/reported.md tells how.
    Pairs that it shows are constructed, never patient data. Exit code 2 when the file cannot be read.
    """
    from onearm.recheck import RecheckError, describe, facts, read_report, recheck

    if not file.is_file():
        raise click.UsageError(f"{file}: no such file; give a file of reported numbers")
    try:
        report = read_report(file)
    except RecheckError as error:
        if json_:
            as_json({"problems": error.messages})
        else:
            for message in error.messages:
                click.echo(message, err=True)
        sys.exit(MISUSE)
    found = recheck(report, _progress(json_))
    if json_:
        as_json(facts(found))
    else:
        click.echo(describe(found))


# -- compare --------------------------------------------------------------------------------------


@main.command()
@click.argument("file", metavar="FILE.csv", type=click.Path(path_type=Path))
@click.option("--before", required=True, metavar="COL", help="Column with the values before.")
@click.option("--after", required=True, metavar="COL", help="Column with the values after.")
@click.option("--unit", default="", help="Unit, for the labels.")
@click.option(
    "--plot", type=click.Path(path_type=Path), help="Write the paired plot to this SVG file."
)
@JSON
@guarded
def compare(file: Path, before: str, after: str, unit: str, plot: Path | None, json_: bool) -> None:
    """Before-after analysis of any CSV file, one row a patient; an empty cell or NA is missing.

    Exact signed-rank tests under both zero rules, Hodges-Lehmann shift, paired t, effect sizes.
    """
    from onearm.analysis import before_after
    from onearm.exchange.pairs import read_pairs

    pairs = read_pairs(file, before, after)
    result = before_after(pairs.before, pairs.after)
    if plot:
        _write_plot(plot, pairs, result, before, after, unit)
    if json_:
        as_json(comparison_facts(result, before, after, unit))
        return
    click.echo(_comparison_text(result, pairs, before, after, unit))
    if plot:
        click.echo(f"\nPlot: {plot}")


def comparison_facts(c: BeforeAfter, before: str, after: str, unit: str) -> dict[str, Any]:
    """A comparison as plain values; what is not defined is null, an open end of an interval too."""
    return {
        "before_column": before,
        "after_column": after,
        "unit": unit,
        "n": c.n,
        "missing": c.n_missing,
        "before": _facts(c.before),
        "after": _facts(c.after),
        "change": _facts(c.change),
        "paired_t": _facts(c.t),
        "signed_rank": {"wilcoxon": _facts(c.wilcoxon), "pratt": _facts(c.pratt)},
        "hodges_lehmann": _facts(c.shift),
        "effect_sizes": {
            "cohen_dz": _facts(c.dz),
            "hedges_g": _facts(c.g),
            "rank_biserial": _facts(c.rank_biserial),
            # Read with the direction: here a lower value after is the better one.
            "probability_of_improvement": {**(_facts(c.improvement) or {}), "better": "lower"},
        },
        "notes": list(c.notes),
    }


def _facts(record: object) -> dict[str, Any] | None:
    from dataclasses import asdict
    from math import isfinite

    if record is None:
        return None
    values = asdict(record)  # type: ignore[call-overload]
    return {k: None if isinstance(v, float) and not isfinite(v) else v for k, v in values.items()}


def _comparison_text(c: BeforeAfter, pairs: Any, before: str, after: str, unit: str) -> str:
    from onearm.report.numbers import DASH, interval, number, p_value

    if c.n == 0:
        rows_read = len(pairs.before)
        return (
            f"{before} to {after}: no complete pair in {rows_read} row{'s' if rows_read != 1 else ''}; "
            "nothing to compare. A pair needs a number in both columns."
        )
    d = pairs.decimals + 1
    rows = [["", "n", "mean", "SD", "median", "min", "max"]]
    for name, x in ((before, c.before), (after, c.after), ("change", c.change)):
        rows.append(
            [
                name,
                str(x.n),
                *(number(v, d) for v in (x.mean, x.sd, x.median, x.minimum, x.maximum)),
            ]
        )

    def ends(r: Any, decimals: int = d) -> str:
        return (
            interval(r.lower, r.upper, decimals) if r is not None and r.lower is not None else DASH
        )

    def estimate(r: Any, decimals: int = d) -> str:
        return number(r.estimate, decimals) if r is not None else DASH

    tests = [
        ["", "estimate", "95 % interval", "statistic", "P (two-sided)"],
        [
            "mean change, paired t",
            estimate(c.t),
            ends(c.t),
            f"t = {number(c.t.statistic, 3)}" if c.t else DASH,
            p_value(c.t.pvalue) if c.t else DASH,
        ],
        ["Hodges-Lehmann shift", estimate(c.shift), ends(c.shift), "", ""],
        [
            "exact signed rank, zeros dropped (Wilcoxon)",
            "",
            "",
            _t_plus(c.wilcoxon),
            p_value(c.wilcoxon.pvalue) if c.wilcoxon else DASH,
        ],
        [
            "exact signed rank, zeros ranked (Pratt)",
            "",
            "",
            _t_plus(c.pratt),
            p_value(c.pratt.pvalue) if c.pratt else DASH,
        ],
        ["Cohen's d_z", estimate(c.dz, 2), ends(c.dz, 2), "", ""],
        ["Hedges' g", estimate(c.g, 2), ends(c.g, 2), "", ""],
        [
            "rank-biserial correlation",
            estimate(c.rank_biserial, 2),
            ends(c.rank_biserial, 2),
            "",
            "",
        ],
        [
            "probability of a lower value after",
            estimate(c.improvement, 2),
            ends(c.improvement, 2),
            "",
            "",
        ],
    ]
    in_unit = f", {unit}" if unit else ""
    missing = f", {c.n_missing} with a missing side" if c.n_missing else ""
    lines = [
        f"{before} to {after}{in_unit}: {c.n} complete pair{'' if c.n == 1 else 's'}{missing}",
        "",
        aligned(rows, right=range(1, 7), indent="  "),
        "",
        aligned(tests, right=(1, 2, 4), indent="  "),
    ]
    lines += [
        f"\n  {note}" for note in (*c.notes, *([c.shift.note] if c.shift and c.shift.note else []))
    ]
    lines += [
        "",
        _paired_plot(pairs, c),
        "",
        "A before-after change without a comparator is not a treatment effect.",
    ]
    return "\n".join(lines)


def _t_plus(test: Any) -> str:
    from onearm.report.numbers import number

    return f"T+ = {number(test.statistic, 1)}" if test else ""


def _paired_plot(pairs: Any, c: BeforeAfter) -> str:
    """Each pair as a line of text: o before, arrow to after; sorted by change; at most 30 drawn."""
    complete = sorted(
        (
            (b, a, str(i + 1))
            for i, (b, a) in enumerate(zip(pairs.before, pairs.after, strict=True))
            if b is not None and a is not None
        ),
        key=lambda p: p[1] - p[0],
    )
    if not complete:
        return "  no complete pair to draw"
    low = min(min(b, a) for b, a, _ in complete)
    high = max(max(b, a) for b, a, _ in complete)
    width = 60
    scale = (width - 1) / ((high - low) or 1)
    lines = []
    for b, a, name in complete[:30]:
        x, y = round((b - low) * scale), round((a - low) * scale)
        marks = [" "] * width
        for i in range(min(x, y), max(x, y) + 1):
            marks[i] = "─"
        marks[x] = "○"
        marks[y] = "●" if x == y else "◀" if y < x else "▶"
        lines.append(f"  pair {name:>3} {''.join(marks)}".rstrip())
    from onearm.report.numbers import number

    left, right = number(low, pairs.decimals), number(high, pairs.decimals)
    ends = f"  {'':8} {left} {right:>{max(width - len(left) - 1, 0)}}"
    more = [f"  ... and {len(complete) - 30} more pairs"] if len(complete) > 30 else []
    return "\n".join(
        [*lines, *more, ends, "  ○ before  ◀ lower after  ▶ higher after  ● unchanged"]
    )


def _write_plot(plot: Path, pairs: Any, c: BeforeAfter, before: str, after: str, unit: str) -> None:
    from onearm.report.figures import paired_plot

    plot.write_text(paired_plot(pairs.before, pairs.after, before, after, unit), encoding="utf-8")


if __name__ == "__main__":
    main()
