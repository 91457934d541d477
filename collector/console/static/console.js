"use strict";
// The little the console does in the browser beyond htmx: one live stream for
// the page, and drafts that outlive a reload. Everything works without it.
(() => {
  // The stream of the page: events `run` carry the progress panel as HTML,
  // events `changed` ask the parts that listen for it to load themselves anew.
  // One stream only, and only while the page is looked at: browsers allow six
  // connections to a host over HTTP/1.1, and technicians open more tabs.
  let stream = null;
  let url = "";
  let retry = 0;
  let seen = false;

  function open() {
    close();
    const source = address();
    if (!source || document.hidden) return;
    url = source;
    stream = new EventSource(url);
    stream.addEventListener("open", () => {
      retry = 0;
      // What changed while nobody listened was not told.
      if (seen) changed();
      seen = true;
    });
    stream.addEventListener("run", (event) => {
      const panel = document.getElementById("run");
      if (!panel) return;
      htmx.swap(panel, event.data, { swapStyle: "innerHTML" });
    });
    stream.addEventListener("bell", (event) => {
      const bell = document.getElementById("bell");
      if (bell) htmx.swap(bell, event.data, { swapStyle: "innerHTML" });
    });
    stream.addEventListener("changed", changed);
    stream.addEventListener("end", close);
    stream.addEventListener("error", () => {
      // The browser tries again by itself unless it was refused.
      if (stream && stream.readyState === EventSource.CLOSED) {
        retry = Math.min(retry + 1, 6);
        setTimeout(open, 1000 * 2 ** retry);
      }
    });
  }

  // Where the page's stream is; a page without one of its own hears the bell.
  function address() {
    return document.querySelector("[data-stream]")?.dataset.stream || document.querySelector("[data-bell]")?.dataset.bell;
  }

  function close() {
    if (stream) stream.close();
    stream = null;
  }

  function changed() {
    htmx.trigger(document.body, "changed");
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? close() : stream || open()));
  document.addEventListener("htmx:load", () => {
    const source = address();
    if (source && source !== url) {
      seen = false;
      open();
    }
  });
  document.addEventListener("DOMContentLoaded", open);

  // Drafts: what is typed into a field with data-draft is kept in this tab
  // until the form is sent and the next page came.
  document.addEventListener("DOMContentLoaded", () => {
    for (const done of document.querySelectorAll("[data-draft-done]")) {
      // A form's further fields have its name before a colon.
      const name = "draft:" + done.dataset.draftDone;
      Object.keys(sessionStorage).filter((key) => key === name || key.startsWith(name + ":")).forEach((key) => sessionStorage.removeItem(key));
    }
    for (const field of document.querySelectorAll("[data-draft]")) {
      const key = "draft:" + field.dataset.draft;
      const kept = sessionStorage.getItem(key);
      if (!field.value) field.value = kept || "";
      else if (kept && kept !== field.value) offer(field, kept);
      field.addEventListener("input", () => {
        try {
          sessionStorage.setItem(key, field.value);
        } catch {
          // More than a browser keeps: it stands in the page only.
        }
      });
    }
  });

  // A field that has a text of its own is not overwritten by a draft: its reader
  // is asked.
  function offer(field, kept) {
    const line = [...document.querySelectorAll("[data-draft-offer]")].find((e) => e.dataset.draftOffer === field.dataset.draft);
    if (!line) return;
    line.hidden = false;
    line.querySelector("button").addEventListener("click", () => {
      field.value = kept;
      line.hidden = true;
      field.focus();
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }

  // A problem's line leads to it in the text.
  document.addEventListener("click", (event) => {
    const to = event.target.closest("[data-line]");
    const field = to && document.getElementById(to.dataset.in);
    if (!field) return;
    const lines = field.value.split("\n");
    const line = Math.min(Number(to.dataset.line), lines.length);
    const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    field.focus();
    field.setSelectionRange(start, start + lines[line - 1].length);
    const row = parseFloat(getComputedStyle(field).lineHeight);
    field.scrollTop = Math.max(0, (line - 4) * row);
  });

  // Fields that act when changed (filters) submit their form.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
})();
