"use strict";
// Work without the mouse. A page says itself which key leads where: a control
// with data-key="r" is pressed (buttons, links, choices) or entered (fields) by
// that key, and data-then names the field that follows. "g t" are two keys one
// after the other. What is on the page stands in the list that `?` opens.
(() => {
  // Who types by voice or by a switch may turn single keys off (WCAG 2.1.4); in
  // this browser, for it is a matter of the person in front of it.
  const off = "keys-off";
  const enabled = () => localStorage.getItem(off) === null;
  // A second key counts this long after the first, in ms.
  const patience = 1500;
  let first = "";
  let timer = 0;

  const typing = (e) => e.matches("input:not([type=checkbox], [type=radio], [type=button], [type=submit]), textarea, select, [contenteditable]");
  const seen = (e) => !e.disabled && e.checkVisibility({ visibilityProperty: true });
  const controls = () => [...document.querySelectorAll("[data-key]")];
  const dialog = () => document.getElementById("keys");

  // press does with a control what a person would do with it: a fold is for what is to
  // be filled in first in it.
  function press(control) {
    // What lies in a closed fold is unfolded first.
    for (let fold = control.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (control.matches("summary")) {
      const field = [...control.parentElement.querySelectorAll("input:not([type=hidden]), select, textarea")].find(seen);
      control.parentElement.scrollIntoView({ block: "nearest" });
      (field || control).focus();
    } else if (typing(control)) {
      control.focus();
      if (control.select && control.type === "search") control.select();
    } else control.click();
    const next = control.dataset.then && document.querySelector(control.dataset.then);
    if (next) next.focus();
  }

  // step goes to the next row of the list, or the one before.
  function step(by) {
    const rows = [...document.querySelectorAll("[data-rows] .title a, [data-rows] > tr > th a, [data-rows] > li > a")].filter(seen);
    if (!rows.length) return false;
    const now = rows.findIndex((row) => row === document.activeElement || row.closest("li, tr").contains(document.activeElement));
    const next = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
    return true;
  }

  // choose marks the row that has the focus, for what is done to several.
  function choose() {
    const row = document.activeElement.closest("[data-rows] > li");
    const box = row && row.querySelector("input[type=checkbox]");
    if (box) box.click();
    return Boolean(box);
  }

  // nameOf is what a screen reader would call it.
  const nameOf = (e) => (e.dataset.keyName || e.ariaLabel || (e.labels && e.labels[0] && e.labels[0].textContent) || e.textContent || "").trim();

  function show() {
    const box = dialog();
    const list = box.querySelector("[data-page-keys]");
    list.replaceChildren();
    const told = new Set();
    for (const control of controls()) {
      const { key } = control.dataset;
      if (told.has(key) || !nameOf(control)) continue;
      told.add(key);
      const term = document.createElement("dt");
      key.split(" ").forEach((part) => term.append(Object.assign(document.createElement("kbd"), { textContent: part }), " "));
      list.append(term, Object.assign(document.createElement("dd"), { textContent: nameOf(control) }));
    }
    box.querySelector("input").checked = enabled();
    box.showModal();
  }

  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      if (at.form && at.form.method === "post") {
        event.preventDefault();
        at.form.requestSubmit();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog()?.open) return;
    if (event.key === "Escape") {
      if (at !== document.body && typing(at)) at.blur();
      return;
    }
    if (typing(at) || !dialog()) return;
    let done = false;
    if (event.key === "?") {
      show();
      done = true;
    } else if (enabled()) {
      const key = first ? first + " " + event.key : event.key;
      clearTimeout(timer);
      first = "";
      const control = controls().find((c) => c.dataset.key === key && (seen(c) || c.closest("details:not([open])")));
      if (control) {
        press(control);
        done = true;
      } else if (controls().some((c) => c.dataset.key.startsWith(key + " "))) {
        first = key;
        timer = setTimeout(() => (first = ""), patience);
        done = true;
      } else if (key === "j" || key === "k") done = step(key === "j" ? 1 : -1);
      else if (key === "x") done = choose();
    }
    if (done) event.preventDefault();
  });

  // Answers: a link of the list puts its text into the field that it names, where
  // the caret is, and marks the first thing that is missing in it.
  function insert(link) {
    const field = document.querySelector(link.dataset.insert);
    const text = link.querySelector("[data-text]").textContent;
    const { missing } = link.dataset;
    const begin = field.selectionStart;
    field.setRangeText(text, begin, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
    link.closest("details").open = false;
    field.focus();
    const at = missing ? text.indexOf(missing) : -1;
    if (at >= 0) field.setSelectionRange(begin + at, begin + at + missing.length);
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-inserts] [data-insert]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    insert(link);
  });

  // In the search above the list, Enter takes the first, the arrows choose, and
  // Escape goes back to the text.
  document.addEventListener("keydown", (event) => {
    const box = event.target.closest("[data-inserts]");
    if (!box || event.isComposing) return;
    const links = [...box.querySelectorAll("[data-insert]")];
    const now = links.indexOf(document.activeElement);
    const search = box.querySelector("input[type=search]");
    if (event.key === "Enter" && event.target === search) { // and never leaves what is typed
      if (links.length) insert(links[0]);
    } else if (event.key === "ArrowDown" && links.length) links[Math.min(now + 1, links.length - 1)].focus();
    else if (event.key === "ArrowUp" && now >= 0) (now ? links[now - 1] : search).focus();
    else if (event.key === "Escape") {
      box.open = false;
      document.getElementById("text").focus();
    } else return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  document.addEventListener("DOMContentLoaded", () => {
    const box = dialog();
    if (!box) return;
    for (const opener of document.querySelectorAll("[data-keys]")) {
      opener.hidden = false;
      opener.addEventListener("click", show);
    }
    box.querySelector("input").addEventListener("change", (event) => {
      if (event.target.checked) localStorage.removeItem(off);
      else localStorage.setItem(off, "1");
    });
  });
})();
