"""The pages under load: 20 people at once, 50 saves a second, a study of 100 subjects x 14 visits.

Run: python benchmarks/capture.py [--seconds 30]

Server (waitress, 8 threads, SQLite WAL FULL) and the people who save run on the same machine, as two
processes; each save is a form of its own through the real page, with its CSRF token, acknowledged only after
it is on the disk. Simulated data.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "studies" / "lupus-msc" / "abstract-2018.yaml"
PEOPLE = 20


def study_of(visits: int) -> str:
    """The built-in study with further visits after the third month, so that a subject has this many."""
    text = STUDY.read_text(encoding="utf-8")
    more = "".join(
        f"    - {{id: W{n}, label: Visit {n}, day: {120 + 30 * n}, window: [-7, 7], forms: [SLEDAI, URINE, LABS]}}\n"
        for n in range(visits - 3)
    )
    return text.replace("\nforms:\n", f"\n{more}\nforms:\n".replace("\n\n", "\n"), 1)


def fill(folder: Path, subjects: int, visits: int) -> int:
    """Record every form of every subject; gives the number of entries."""
    from onearm.ledger import Draft, Key, Ledger
    from onearm.study import load_study

    study = load_study(folder / "study.yaml")
    with Ledger.open(folder / "ledger.db", create=True) as ledger:
        for s in range(subjects):
            drafts = []
            for v, visit in enumerate(study.schedule.visits[:visits]):
                day = f"202{3 + v // 12}-{v % 12 + 1:02d}-14"
                for form, dated in (("URINE", "URDT"), ("LABS", "LBDT"), ("SLEDAI", "SLEDT")):
                    for item in study.form(form).all_items:
                        value = {"date": day, "yesno": "no"}.get(item.type, "5")
                        if item.id == dated or item.type != "text":
                            key = Key("subject", f"S{s:03d}", form, item.id, visit.id)
                            drafts.append(Draft(key, value, item.unit))
            ledger.record(drafts, by="loader", role="coordinator", site="A", study_hash=study.hash)
        return ledger.head().seq


def prepared(folder: Path) -> list[str]:
    """Accounts of twenty coordinators; gives their session cookies."""
    from onearm.web.serve import prepare

    prepare(folder)
    from django.conf import settings
    from django.contrib.auth import (
        BACKEND_SESSION_KEY,
        HASH_SESSION_KEY,
        SESSION_KEY,
        get_user_model,
    )
    from django.contrib.sessions.backends.db import SessionStore

    from onearm.conduct import Right, draft_grant
    from onearm.web.place import place

    here, cookies = place(), []
    for n in range(PEOPLE):
        user = get_user_model().objects.create_user(
            username=f"coordinator-{n}", first_name=f"Coordinator {n}"
        )
        here.ledger.record(
            [draft_grant(user.username, Right("coordinator", "A"))],
            by="loader", role="administrator", site="", study_hash=here.study.hash,
        )  # fmt: skip
        session = SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session["began"] = time.time()
        session.save()
        cookies.append(f"{settings.SESSION_COOKIE_NAME}={session.session_key}")
    here.close()
    return cookies


class Person:
    """Somebody at a browser: keeps cookies, reads the token of a page, saves forms."""

    def __init__(self, port: int, cookie: str):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.cookie = cookie
        self.token = ""

    def get(self, path: str) -> str:
        """Open a page."""
        self.connection.request("GET", path, headers={"Cookie": self.cookie})
        response = self.connection.getresponse()
        page = response.read().decode()
        if response.status != 200:
            raise RuntimeError(f"{path}: {response.status}")
        for header in response.headers.get_all("Set-Cookie") or ():
            if header.startswith("csrftoken"):
                self.cookie = f"{self.cookie.split(';')[0]}; {header.split(';')[0]}"
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        self.token = found[1] if found else self.token
        return page

    def save(self, subject: str) -> int:
        """Save the blood form of a subject's first visit; the status of the answer."""
        boxes = {"v-LBDT": "2026-05-04", "v-CREAT": "1.1", "v-C3LOW": "no", "v-DNAHIGH": "yes", "v-PLT": "250",
                 "v-WBC": "5.1", "v-TEMP": "36.8", "do": "save", "csrfmiddlewaretoken": self.token}  # fmt: skip
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded",
                   "Referer": "http://127.0.0.1/"}  # fmt: skip
        self.connection.request(
            "POST", f"/form/subject/{subject}/M-3/LABS/1/", urlencode(boxes), headers
        )
        response = self.connection.getresponse()
        response.read()
        return response.status


def serve(folder: Path, port: int) -> subprocess.Popen[bytes]:
    """Start the server and wait until it answers."""
    command = [sys.executable, "-m", "onearm.cli", "serve", str(folder), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _try in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
            return process
        except OSError:
            time.sleep(0.1)
    raise RuntimeError("the server did not start")


def run(
    people: list[Person], seconds: float, rate: float | None, name: str
) -> tuple[list[float], int, float]:
    """Save as fast as twenty people can, or at a fixed rate; times in ms, faults, seconds."""
    times: list[float] = []
    faults, lock, counter = [0], threading.Lock(), iter(range(1_000_000))
    began = time.perf_counter()

    def work(person: Person) -> None:
        while True:
            with lock:
                n = next(counter)
            due = began + (n / rate if rate else 0.0)
            if (time.perf_counter() if rate is None else due) - began >= seconds:
                return
            time.sleep(max(0.0, due - time.perf_counter()))
            at = time.perf_counter() if rate is None else due  # waiting for a free hand counts too
            try:
                good = person.save(f"{name}{n}") == 302
            except (OSError, http.client.HTTPException):
                good = False
                person.connection.close()
            with lock:
                times.append(1e3 * (time.perf_counter() - at))
                faults[0] += not good
            if rate is None:
                time.sleep(1.0)  # twenty people, each a save a second

    threads = [threading.Thread(target=work, args=(p,)) for p in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times, faults[0], time.perf_counter() - began


def quantile(times: list[float], share: float) -> float:
    """A quantile of the times."""
    return sorted(times)[min(len(times) - 1, int(share * len(times)))]


def told(label: str, times: list[float], faults: int, seconds: float) -> None:
    """One line of the table."""
    print(f"{label:44s} {len(times) / seconds:7.1f} {statistics.median(times):7.0f} {quantile(times, 0.95):7.0f} "
          f"{quantile(times, 0.99):7.0f} {faults:6d}")  # fmt: skip


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    seconds = parser.parse_args().seconds
    print(
        f"{platform.machine()}, {os.cpu_count()} processors; Python {platform.python_version()}; simulated data\n"
    )
    for subjects in (20, 100):  # how the cost grows with the study
        with tempfile.TemporaryDirectory() as scratch:
            measure(Path(scratch), subjects, seconds)


def measure(folder: Path, subjects: int, seconds: float) -> None:
    """A study of so many subjects, under both loads."""
    (folder / "study.yaml").write_text(study_of(14), encoding="utf-8")
    entries = fill(folder, subjects, 14)
    setup = [sys.executable, __file__]
    env = {**os.environ, "ONEARM_BENCH": str(folder)}
    made = subprocess.run(setup, env=env, capture_output=True, check=True, text=True)
    cookies = json.loads(made.stdout.splitlines()[-1])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = serve(folder, port)
    try:
        people = [Person(port, cookie) for cookie in cookies]
        for person in people:
            person.get("/form/subject/S000/M-3/LABS/1/")
        opened = []
        for n in range(30):
            at = time.perf_counter()
            people[n % PEOPLE].get(f"/subject/S{n % subjects:03d}/")
            opened.append(1e3 * (time.perf_counter() - at))
        print(
            f"{subjects} subjects x 14 visits, {entries:,} entries; load average {os.getloadavg()[0]:.1f}\n"
            f"opening a subject: median {statistics.median(opened):.0f} ms, slowest {max(opened):.0f} ms (asked: 300)"
        )
        print(
            f"{'saves of a form with 7 items':44s} {'/s':>7s} "
            f"{'p50 ms':>7s} {'p95 ms':>7s} {'p99 ms':>7s} {'faults':>6s}"
        )
        told("20 people at once, each a save a second", *run(people, seconds, None, "P"))
        rated = run(people, seconds, 50.0, "R")
        told("50 saves a second asked for", *rated)
    finally:
        server.terminate()
        server.wait()
    print(f"in the ledger afterwards: {kept(folder)} of {len(rated[0])} forms of the second load\n")


def kept(folder: Path) -> int:
    """The forms of the second load that the ledger holds whole."""
    from onearm.ledger import Ledger

    with Ledger.open(folder / "ledger.db") as ledger:
        found = Counter(e.key.about for e in ledger.snapshot().entries if e.key.about[0] == "R")
        assert ledger.verify() == []
    return sum(items == 7 for items in found.values())


if __name__ == "__main__":
    if place := os.environ.get("ONEARM_BENCH"):
        print(json.dumps(prepared(Path(place))))
    else:
        main()
