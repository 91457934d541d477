// What all views are made of: words, elements, and one view at a time. Nothing is
// written as HTML, so that no name of a printer can become part of the page.

import { Trouble } from "./agent.js";

const view = document.getElementById("view");
const told = document.getElementById("told");
let words = {};
let home = () => {};
// Ends what is being looked into when the person goes elsewhere.
let leaving = new AbortController();

export let language = "en";

// Both are asked for before it is known which is wanted: that takes no time then.
const spoken = Object.fromEntries(["en", "fr"].map((name) => [name, fetch("words." + name + ".json").then((answer) => answer.json(), () => ({}))]));

// speak takes up a language.
export async function speak(wanted) {
  language = wanted;
  document.documentElement.lang = language;
  words = await spoken[language] ?? {};
}

// homeIs says where "back to the start" leads.
export function homeIs(act) { home = act; }

export const has = (key) => words[key] !== undefined;

// unbroken keeps French punctuation with its word, on one line.
const unbroken = (text) => language === "fr" ? text.replace(/ (?=[?!;:»])|(?<=«) /g, "\u00a0") : text;

// t gives a text in the person's language, with its gaps filled.
export function t(key, gaps = {}) {
  return unbroken(words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => gaps[name] ?? "");
}

// worded gives a text that came in both languages in the person's.
export const worded = (text) => unbroken(text?.[language] || text?.en || "");

// h makes an element; attributes that are functions are what happens on an event.
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter((c) => c !== undefined && c !== null && c !== ""));
  return element;
}

export const button = (label, act, kind = "") => h("button", { type: "button", class: kind, click: act }, label);
export const row = (...buttons) => h("div", { class: "row" }, buttons);
export const back = (kind = "") => button(t("home"), () => attempt(home), kind);

// show replaces the view, and tells its heading to who can't see it.
export function show(...children) {
  view.replaceChildren(...children.flat(Infinity).filter(Boolean));
  const heading = view.querySelector("h1");
  document.title = (heading ? heading.textContent + " – " : "") + "Constat";
  window.scrollTo(0, 0);
  view.focus({ preventScroll: true });
}

export const say = (text) => { told.textContent = text; };

export function trouble(error) {
  const kind = error instanceof Trouble ? error.kind : "failed";
  const known = has("problem." + kind) ? kind : "failed";
  return h("div", { class: "card", role: "alert" }, h("p", { class: "bad" }, t("problem." + known)),
    error.message ? h("p", { class: "quiet" }, t("problem.said", { said: error.message })) : "");
}

// attempt does something, and shows what went wrong in its place.
export async function attempt(act) {
  leaving.abort();
  leaving = new AbortController();
  const own = leaving;
  try {
    await act(own.signal);
  } catch (error) {
    if (own.signal.aborted) return; // another view is there already
    if (!(error instanceof Trouble)) console.error(error);
    show(h("h1", {}, t("title")), trouble(error), row(back()));
  }
}

export const time = (at) => new Date(at).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
export const day = (at) => new Date(at).toLocaleString(language, { weekday: "long", day: "numeric", month: "long", hour: "2-digit", minute: "2-digit" });
