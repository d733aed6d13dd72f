/* What pages do beyond what they do without a script: drafts, reasons at the field, live scores, a warning before the
   session ends. Addresses and words come from data attributes; nothing here is needed to enter, save or sign. */
"use strict";
(() => {
  const DRAFT_AFTER = 2000; // ms after the last change
  const SCORE_AFTER = 400;
  const WARN_BEFORE = 120; // seconds

  const clock = (at) => at.toLocaleTimeString(document.documentElement.lang, { hour: "2-digit", minute: "2-digit" });
  const token = () => document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
  const post = (url, body, more = {}) =>
    fetch(url, { method: "POST", body, credentials: "same-origin", headers: { "X-CSRFToken": token() }, ...more });

  /** Persian and Arabic digits, decimal sign and group sign, as Latin ones. */
  const latin = (text) =>
    text
      .replace(/[\u06f0-\u06f9]/g, (d) => String(d.charCodeAt(0) - 0x06f0))
      .replace(/[\u0660-\u0669]/g, (d) => String(d.charCodeAt(0) - 0x0660))
      .replace(/\u066b/g, ".")
      .replace(/\u066c/g, "");

  const later = (wait, act) => {
    let timer = 0;
    return () => {
      clearTimeout(timer);
      timer = setTimeout(act, wait);
    };
  };

  // -- the session -----------------------------------------------------------------------------------------------

  const SEEN = "onearm.seen"; // shared by all tabs: when the server was last asked by a person
  const touch = () => {
    try {
      localStorage.setItem(SEEN, String(Date.now()));
    } catch {
      /* storage may be closed to the page; each tab then counts for itself */
    }
    touched = Date.now();
  };
  let touched = Date.now();
  const lastSeen = () => {
    try {
      return Math.max(touched, Number(localStorage.getItem(SEEN)) || 0);
    } catch {
      return touched;
    }
  };

  let keepDraft = async () => {};

  const idle = () => {
    const seconds = Number(document.body.dataset.idleSeconds);
    const dialog = document.getElementById("idle");
    if (!seconds || !dialog) return;
    touch();
    const words = dialog.querySelector("[data-words]");
    const look = async () => {
      const ends = lastSeen() + seconds * 1000;
      const left = (ends - Date.now()) / 1000;
      if (left <= 0) {
        location.reload(); // the server asks to sign in and leads back here
      } else if (left <= WARN_BEFORE && !dialog.open) {
        await keepDraft();
        words.textContent = words.dataset.words.replace("TIME", clock(new Date(ends)));
        dialog.showModal();
      } else if (left > WARN_BEFORE && dialog.open) {
        dialog.close(); // another tab stayed
      }
    };
    setInterval(look, 5000);
    document.addEventListener("visibilitychange", () => document.hidden || look());
    const stay = async () => {
      const answer = await fetch(document.body.dataset.pingUrl, { credentials: "same-origin", redirect: "manual" }).catch(() => null);
      if (answer?.ok) {
        touch();
        dialog.close();
      } else if (answer) {
        location.reload();
      }
    };
    dialog.querySelector("[data-stay]").addEventListener("click", stay);
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault();
      stay();
    });
  };

  // -- a form ----------------------------------------------------------------------------------------------------

  const box = (item, prefix) => item.querySelectorAll(`[name="${prefix}-${CSS.escape(item.dataset.item)}"]`);

  const valueOf = (item) => {
    const boxes = [...box(item, "v")];
    if (boxes[0]?.type === "radio") return boxes.find((b) => b.checked)?.value ?? "";
    return latin(boxes[0]?.value.trim() ?? "");
  };

  const reasons = (form) => {
    const all = form.querySelector("[data-all-reasons]");
    const items = [...form.querySelectorAll("[data-item]")];
    const look = (item) => {
      const missing = box(item, "m")[0];
      missing?.classList.toggle("chosen", missing.value !== "");
      item.querySelector(".control")?.classList.toggle("set-aside", Boolean(missing?.value));
      const why = item.querySelector("[data-why]");
      if (!why) return;
      const { saved, savedMissing } = item.dataset;
      const changed = valueOf(item) !== latin(saved) || (missing?.value ?? "") !== savedMissing;
      why.hidden = !changed;
      why.classList.toggle("is-changed", changed);
      if (changed) why.open = true;
    };
    const count = () => {
      if (all) all.hidden = items.filter((i) => i.querySelector(".why.is-changed")).length < 2;
    };
    items.forEach(look);
    count();
    const react = (event) => {
      const item = event.target.closest("[data-item]");
      if (!item) return;
      look(item);
      count();
    };
    form.addEventListener("input", react);
    form.addEventListener("change", react);
  };

  const drafts = (form) => {
    const url = form.dataset.draftUrl;
    if (!url) return;
    const state = form.querySelector("[data-draft-state]");
    let dirty = false;
    let leaving = false;
    keepDraft = async (more = {}) => {
      if (!dirty || leaving) return;
      dirty = false;
      try {
        const answer = await post(url, new FormData(form), { redirect: "error", ...more });
        if (!answer.ok) throw new Error(String(answer.status));
        touch();
        const told = await answer.json().catch(() => ({}));
        const kept = told.kept ?? clock(new Date()); // empty: nothing differs from the record
        state.textContent = kept && state.dataset.kept.replace("TIME", kept);
        state.classList.remove("failed");
      } catch {
        dirty = true;
        state.textContent = state.dataset.failed;
        state.classList.add("failed");
      }
    };
    const soon = later(DRAFT_AFTER, () => keepDraft());
    const bar = form.querySelector(".save-bar");
    const typed = (event) => {
      if (event.target.form !== form) return; // a query's words stand among the items, and are sent by themselves
      dirty = true;
      bar.classList.add("live"); // from now on in sight, wherever the page is scrolled
      soon();
    };
    form.addEventListener("input", typed);
    form.addEventListener("change", typed);
    form.addEventListener("submit", () => {
      leaving = true;
    });
    document.addEventListener("visibilitychange", () => document.hidden && keepDraft({ keepalive: true }));
    // Another form of the page (a query, a state, a signature) leaves the page: keep what is typed first.
    document.addEventListener("submit", async (event) => {
      if (event.target === form || !dirty || event.submitter?.name === "discard") return;
      event.preventDefault();
      const { target, submitter } = event;
      await keepDraft();
      dirty = false;
      target.requestSubmit(submitter);
    });
    window.addEventListener("beforeunload", (event) => {
      if (dirty && !leaving) event.preventDefault();
    });
  };

  const score = (form) => {
    const url = form.dataset.scoreUrl;
    const place = form.querySelector("[data-score]");
    if (!url || !place) return;
    let asked = 0;
    const ask = async () => {
      const mine = ++asked;
      const answer = await post(url, new FormData(form)).catch(() => null);
      if (!answer?.ok || mine !== asked) return;
      const { scores } = await answer.json();
      place.replaceChildren(
        ...scores.map(([name, text]) => {
          const part = document.createElement("span");
          const number = document.createElement("b");
          const alone = document.createElement("bdi");
          alone.textContent = text;
          number.append(alone);
          part.append(name, " ", number);
          return part;
        }),
      );
    };
    const soon = later(SCORE_AFTER, ask);
    form.addEventListener("input", soon);
    form.addEventListener("change", soon);
  };

  /** Beside a number or a date: the same in Latin digits, and the date in the other calendar. */
  const previews = (form) => {
    const show = (input, text) => {
      const place = input.closest(".control")?.querySelector(".preview");
      if (place) place.textContent = text;
    };
    form.querySelectorAll("[data-digits]").forEach((input) =>
      input.addEventListener("input", () => {
        const plain = latin(input.value);
        show(input, plain === input.value ? "" : `= ${plain}`);
      }),
    );
    const url = form.dataset.dateUrl;
    form.querySelectorAll("[data-date]").forEach((input) => {
      const ask = async () => {
        const text = input.value.trim();
        const plain = latin(text);
        let told = plain === text ? "" : plain;
        if (url && text) {
          const answer = await fetch(`${url}?text=${encodeURIComponent(text)}`, { credentials: "same-origin" }).catch(() => null);
          if (answer?.ok) told = (await answer.json()).text;
        }
        if (text === input.value.trim()) show(input, told === text ? "" : told);
      };
      input.addEventListener("input", later(300, ask));
    });
  };

  // -- every page ------------------------------------------------------------------------------------------------

  const menu = () => {
    const sheet = document.querySelector("details.menu");
    if (!sheet) return;
    document.addEventListener("click", (event) => {
      if (!sheet.contains(event.target)) sheet.open = false;
    });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !sheet.open) return;
      sheet.open = false;
      sheet.querySelector("summary").focus();
    });
  };

  document.querySelector(".error-summary")?.focus();
  document.querySelector(".pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  menu();
  const entry = document.getElementById("entry");
  if (entry) {
    reasons(entry);
    drafts(entry);
    score(entry);
    previews(entry);
  }
  idle();
})();
