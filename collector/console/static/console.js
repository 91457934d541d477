"use strict";
// The little the console does in the browser beyond htmx: one live stream for
// the page, and drafts that outlive a reload and a sign-in. Everything works
// without it.
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
      // Who is here now says so at once.
      for (const place of document.querySelectorAll("[data-onlookers]")) place.replaceChildren();
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
    stream.addEventListener("onlookers", (event) => {
      for (const place of document.querySelectorAll("[data-onlookers]")) htmx.swap(place, event.data, { swapStyle: "innerHTML" });
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

  // Drafts: what somebody types into a field with data-draft is kept in this tab,
  // under their name, until the form is sent and the next page came.
  const draftKey = (name) => "draft:" + document.body.dataset.user + ":" + name;

  function remember(key, value) {
    try {
      sessionStorage.setItem(key, value);
    } catch {
      // More than the browser keeps: the page still has it.
    }
  }

  // A form's further fields have its name before a colon.
  function forget(name) {
    const key = draftKey(name);
    Object.keys(sessionStorage).filter((k) => k === key || k.startsWith(key + ":")).forEach((k) => sessionStorage.removeItem(k));
  }

  document.addEventListener("DOMContentLoaded", () => {
    for (const done of document.querySelectorAll("[data-draft-done]")) forget(done.dataset.draftDone);
    for (const field of document.querySelectorAll("[data-draft]")) {
      const key = draftKey(field.dataset.draft);
      const mine = sessionStorage.getItem(key);
      // What the collector keeps of a reply is left here only while it did not get it.
      if (mine !== null && (!field.value || field.form.dataset.keep)) field.value = mine;
      else if (mine && mine !== field.value) offer(field, mine);
      field.addEventListener("input", () => remember(key, field.value));
    }
    document.querySelectorAll("form[data-keep]").forEach(keep);
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

  // A reply is also kept by the collector while it is typed, for the next sign-in
  // and for another browser, and colleagues are told that somebody types.
  function keep(form) {
    const pause = 1500; // ms without a key before it is kept, or
    const pace = 3000; // between two times while keys are pressed
    const text = form.elements.text;
    const name = text.dataset.draft;
    const seen = form.querySelector("[data-seen]");
    const seenKey = draftKey(name + ":seen");
    const warning = form.querySelector("[data-answered]");
    const settled = 5000; // ms after which what was kept needs no copy in the tab
    let timer = 0;
    let kept = 0;
    let last = 0;
    let waits = false; // something is not kept yet
    let done = false;

    async function send() {
      clearTimeout(timer);
      timer = 0;
      if (!waits || done) return;
      waits = false;
      last = Date.now();
      const fields = new URLSearchParams();
      for (const field of ["entry", "kind", "text", "minutes", "resolution", "resolutionWas", "seenMessage"]) fields.set(field, form.elements[field].value);
      try {
        // A page that goes may still send little; the rest stays in the tab.
        const answer = await fetch(form.dataset.keep, { method: "POST", body: fields, keepalive: fields.toString().length < 60000 });
        if (answer.status !== 204) throw new Error(answer.status);
        // The next page may have been asked for before this came there.
        kept = setTimeout(() => waits || forget(name), settled);
      } catch {
        waits = true; // who is signed out, or far from a collector, has it in the tab
      }
    }

    // What came while a reply was begun is to be read before it is sent.
    function compare() {
      const newest = document.querySelector("[data-last-message]")?.dataset.lastMessage;
      if (newest === undefined || newest === seen.value) return;
      if (!text.value.trim()) seen.value = newest;
      else {
        warning.hidden = false;
        warning.querySelector("[data-have-read]").hidden = false;
      }
    }

    form.addEventListener("input", () => {
      if (sessionStorage.getItem(seenKey) === null) remember(seenKey, seen.value);
      waits = true;
      clearTimeout(kept);
      clearTimeout(timer);
      timer = setTimeout(send, Math.max(0, Math.min(pause, last + pace - Date.now())));
    });
    form.addEventListener("focusout", send);
    form.addEventListener("submit", () => {
      done = true;
      clearTimeout(timer);
    });
    addEventListener("pagehide", send);
    addEventListener("pageshow", (event) => event.persisted && (done = false));
    warning.querySelector("[data-have-read]").addEventListener("click", () => {
      seen.value = document.querySelector("[data-last-message]").dataset.lastMessage;
      remember(seenKey, seen.value);
      warning.hidden = true;
      waits = true;
      text.focus();
    });
    document.addEventListener("htmx:load", compare);
    if (sessionStorage.getItem(draftKey(name)) !== null) {
      form.querySelector("[data-begun]").hidden = false;
      // A text that came with the page came with what its writer has read.
      if (text.value !== text.defaultValue) seen.value = sessionStorage.getItem(seenKey) ?? seen.value;
      remember(seenKey, seen.value);
      waits = true;
      send();
    }
    compare();
  }

  // Fields that act when changed (filters) submit their form.
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });
})();
