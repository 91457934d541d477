// A person's tickets, what is known to be wrong here, and what left this computer.

import { call } from "./agent.js";
import { keep, written } from "./draft.js";
import { attempt, back, button, day, h, language, row, say, show, t, trouble, worded } from "./kit.js";

// tickets shows what the person asked for, and what was answered.
export async function tickets() {
  const [list, typed] = await Promise.all([call("ListTickets", { language, read: true }), written()]);
  show(h("h1", {}, t("tickets")),
    list.reached ? "" : h("p", { class: "quiet" }, t("tickets.old")),
    list.tickets.length ? list.tickets.map((one, index) => ticket(one, index, typed)) : h("p", {}, t("tickets.none")),
    row(button(t("tickets.again"), () => attempt(tickets)), back()));
}

function ticket({ ticket: k, messages }, index, typed) {
  const field = h("textarea", { id: "reply-" + index, maxlength: "20000" });
  const draft = "reply " + k.id;
  field.value = typed(draft);
  field.addEventListener("input", () => keep(draft, field.value));
  const place = h("div");
  const send = button(t("reply.send"), async () => {
    if (!field.value.trim()) return field.focus();
    send.disabled = true;
    place.replaceChildren(h("progress", { "aria-label": t("reply.send") }));
    try {
      const sent = await call("SubmitTicket", { replyTo: k.id, text: field.value, language, waitSeconds: 10 });
      await keep(draft, "");
      say(t(sent.number ? "reply.sent" : "reply.waits"));
      attempt(tickets);
    } catch (error) {
      send.disabled = false;
      place.replaceChildren(trouble(error));
    }
  });
  const state = k.number ? t("ticket.number", { number: k.number, status: t("status." + k.status) }) : t(messages[0]?.kind === "refused" ? "ticket.refused" : "ticket.waits");
  const by = k.assignee ? t("ticket.who", { who: k.assignee }) : "";
  const answer = [h("label", { for: field.id }, t("reply")), field, place, row(send)];
  return h("section", { class: "card", "aria-labelledby": "ticket-" + index },
    h("h2", { id: "ticket-" + index }, k.title),
    h("p", { class: "quiet" }, [state, by].filter(Boolean).join(" ")),
    k.dueAt ? h("p", {}, t("ticket.due", { when: day(k.dueAt) })) : "",
    h("ol", { class: "talk" }, messages.map(message)),
    ["solved", "closed", "merged"].includes(k.status) && !field.value
      ? h("details", {}, h("summary", {}, t("reply.more")), answer) : answer);
}

function message(m) {
  const own = m.actorRole === "requester";
  const when = ["waiting", "refused"].includes(m.kind) ? t("message." + m.kind) : day(m.at);
  return h("li", { class: own ? "own" : "theirs" },
    h("p", { class: "quiet" }, (own ? t("message.own") : m.actor) + " – " + when),
    m.text ? h("p", { class: "words" }, m.text) : "",
    m.files.length ? h("p", { class: "quiet" }, t("message.files", { names: m.files.map((f) => f.name).join(", ") })) : "");
}

// others tells what is known to be wrong for others too, and what is planned for this
// computer; it comes when it comes.
export function others() {
  const place = h("div", { "aria-live": "polite" });
  call("ListTickets", { language }).then(({ known, planned }) => place.replaceChildren(
    ...known.map((k) => h("p", { class: "card known" }, t("known", { title: k.title.replace(/[.\s]+$/, ""), when: day(k.at) }))),
    ...planned.map(work))).catch(() => {}); // without it help is asked for all the same
  return place;
}

// work is planned work as its announcement says it.
function work(p) {
  const [from, until] = [p.from, p.until].map((at) => new Date(at));
  const sameDay = from.toDateString() === until.toDateString();
  const end = sameDay ? until.toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" }) : day(p.until);
  return h("div", { class: "card known" },
    h("p", {}, t(from <= new Date() ? "planned.now" : "planned", { title: p.title.replace(/[.\s]+$/, ""), from: day(p.from), until: end })),
    p.text ? h("p", { class: "words" }, p.text) : "");
}

// sent shows what left this computer, and what was done to it.
export async function sent() {
  const { sent: all } = await call("ListTickets", { language, sent: true });
  const { past } = await call("ListRemedies", { language, past: true });
  show(h("h1", {}, t("trace")),
    h("p", {}, t("trace.what")),
    all.length ? table(all.map((s) => [s.at, t("kind." + s.kind, { text: s.text, who: s.by || t("trace.you") })])) : h("p", {}, t("trace.none")),
    h("h2", {}, t("trace.done")),
    past.length ? table(past.map((r) => [r.at, done(r)])) : h("p", {}, t("trace.undone")),
    row(back()));
}

const table = (rows) => h("table", {}, rows.map(([at, text]) => h("tr", {}, h("th", { scope: "row" }, day(at)), h("td", {}, text))));

function done(r) {
  const outcome = t(r.outcome === "fixed" ? "fixed" : r.outcome === "notFixed" ? "notFixed" : "notDone");
  const who = r.consentedBy ? t("trace.agreed", { who: r.requestedBy, yes: r.consentedBy }) : t("trace.asked", { who: r.requestedBy });
  return [who, worded(r.proof), outcome].filter(Boolean).join(" ");
}

