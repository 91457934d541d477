// The page: what a person chooses, what is being looked into, and the answer.

import { call, enter, follow, Trouble } from "./agent.js";
import { keep, written } from "./draft.js";
import { drawing } from "./drawing.js";
import { attempt, back, button, day, h, has, homeIs, language, row, say, show, speak, t, time, trouble, worded } from "./kit.js";
import { pictures } from "./picture.js";
import { others, sent, tickets } from "./tickets.js";

const complaints = ["internet", "wifi", "printing", "peripheral", "software", "slow", "power", "sign-in", "full"];
const standing = document.getElementById("standing");
const home = document.getElementById("home");
let status = {};

function stand() {
  standing.textContent = t(!status.enrolled ? "standing.alone" : status.connected ? "standing.connected" : "standing.waiting");
}

// start is what the page begins with: the choices at once, and what the agent says of
// itself when it says it.
async function start() {
  home.hidden = true;
  const asked = h("div", { "aria-live": "polite" });
  const found = h("div");
  show(
    asked,
    others(),
    h("h1", {}, t("title")),
    h("p", { class: "quiet" }, t("choose")),
    h("div", { class: "choices" }, complaints.map((id) => button(t("complaint." + id), () => attempt((signal) => look(id, signal))))),
    found,
    h("div", { class: "row" }, button(t("tickets"), () => open("tickets")), button(t("trace"), () => open("sent"))),
  );
  const [is, remedies] = await Promise.all([call("GetStatus", { language }), call("ListRemedies", { language })]);
  status = is;
  stand();
  asked.append(...remedies.offers.filter((o) => o.request.id).map(request));
  if (is.found.length) found.append(h("h2", {}, t("found")), h("ul", { class: "plain" }, is.found.map((f) => h("li", {}, f.title + " (" + time(f.at) + ") ",
    complaints.includes(f.procedure) ? button(t("found.what"), () => attempt((signal) => look(f.procedure, signal))) : ""))));
}

// open shows a view by its name.
const views = { tickets, sent };
function open(name) {
  home.hidden = false;
  if (views[name]) attempt(views[name]);
  else if (complaints.includes(name)) attempt((signal) => look(name, signal));
  else attempt(start);
}

// request is a remedy that a technician asks for.
function request(offer) {
  const r = offer.request;
  const card = h("section", { class: "card" }, h("h2", {}, t("asked")),
    h("p", {}, t("asked.by", { who: r.requestedBy, until: time(r.expiresAt) })),
    h("p", {}, h("strong", {}, offer.title)), h("p", {}, offer.text),
    h("div", { class: "row" },
      button(t("yes"), () => settle(card, () => call("ConsentRemedy", { id: r.id })), "main"),
      button(t("no"), () => settle(card, () => call("DeclineRemedy", { id: r.id })))));
  return card;
}

async function settle(card, act) {
  const [shown, end] = mending();
  card.replaceChildren(...shown);
  try {
    card.replaceChildren(outcome((await act()).result));
  } catch (error) {
    card.replaceChildren(trouble(error));
  } finally {
    end();
  }
}

// mending shows that a remedy is under way, and says how far it is until it is ended.
function mending() {
  const said = h("p", { role: "status" }, t("mending"));
  let over = false;
  const ask = async () => {
    const { phase } = await call("ListRemedies", { language }).catch(() => ({}));
    if (over) return;
    const words = has("phase." + phase) ? t("phase." + phase) : t("mending");
    if (said.textContent !== words) said.textContent = words;
    setTimeout(ask, 500);
  };
  ask();
  return [[said, h("progress", { "aria-label": t("mending") })], () => { over = true; }];
}

// outcome says how a remedy went, with its proof.
function outcome(result) {
  const fixed = result.outcome === "fixed";
  const text = t(fixed ? "fixed" : result.outcome === "notFixed" ? "notFixed" : "notDone");
  const proof = worded(result.proof);
  say(text);
  return h("div", { class: "card" }, h("p", { class: fixed ? "good" : "bad" }, h("strong", {}, text)),
    proof ? h("p", {}, proof) : "", !fixed && result.told ? h("p", {}, worded(result.told))
      : !fixed && !proof && result.reason ? h("p", { class: "quiet" }, t("problem.said", { said: result.reason })) : "");
}

// look runs a diagnosis and shows it live.
async function look(complaint, signal) {
  home.hidden = false;
  const seen = await diagnose(complaint, signal);
  await answer(complaint, seen);
}

async function diagnose(complaint, signal) {
  const bar = h("progress", { max: "1", value: "0", "aria-label": t("looking") });
  const now = h("p", { class: "quiet" }, " ");
  const early = h("div", { "aria-live": "polite" });
  show(h("h1", {}, t("looking")), bar, now, h("div", { class: "row" }, button(t("stop"), () => attempt(start))), early);
  say(t("looking"));
  for await (const m of follow("RunDiagnosis", { procedure: complaint, language }, signal)) {
    if (m.diagnosis) return m;
    const p = m.progress;
    if (p.total) { bar.max = p.total; bar.value = p.done; }
    const doing = p.phase === "judging" ? "judging" : "group." + p.group;
    if (has(doing)) now.textContent = t(doing);
    if (p.found && !early.hasChildNodes()) early.append(h("p", { class: "quiet" }, t("early")), h("p", { class: "lead" }, p.found));
  }
  throw new Trouble("failed", "");
}

// answer says what was found, why, and what to do.
async function answer(complaint, seen) {
  const d = seen.diagnosis;
  const [first, ...more] = d.rootCauses;
  const offers = first ? (await call("ListRemedies", { language })).offers.filter((o) => !o.request.id) : [];
  const title = t(first ? "wrong" : d.verdict === "healthy" ? "healthy" : "undetermined");
  say(title + " " + (seen.causes?.[first?.fault]?.explanation ?? ""));
  show(
    h("h1", {}, title),
    first ? cause(first, seen.causes?.[first.fault]) : h("p", {}, d.verdict === "healthy" ? t("healthy.next") : d.nextStep),
    more.length ? h("h2", {}, t("more")) : "",
    more.map((c) => h("section", { class: "card" }, cause(c, seen.causes?.[c.fault]))),
    offers.map((o, index) => offer(complaint, o, index ? "" : "main")),
    h("h2", {}, t("helped")),
    h("div", { class: "row" },
      button(t("helped.yes"), () => good(d)),
      button(t("walk"), () => attempt((signal) => walk(complaint, seen, signal)), first && offers.length ? "" : "main"),
      button(t("send"), () => attempt(() => compose(complaint, d))),
      button(t("again"), () => attempt((signal) => look(complaint, signal)))),
    d.unrelated.length ? h("p", { class: "quiet" }, t("also", { title: d.unrelated[0].title })) : "",
  );
}

// A person may have several of these things, and knows each by its name; not by the
// number of its socket.
const things = /^(printer-(?!spool)|usb-|peripheral-|bt-|sw-)/;
const isName = (component) => /^[^/]*\p{L}/u.test(component);

// cause is what is wrong in plain words, what to do, and, for who wants to know,
// the proof.
function cause(c, said) {
  return h("div", {},
    h("p", { class: "lead" }, said?.explanation || c.title),
    h("p", { class: "sure" }, t("certainty." + c.certainty), c.since ? " " + t("since", { when: day(c.since) }) : "",
      things.test(c.fault) && isName(c.component) ? " " + t("about", { name: c.component }) : ""),
    c.advice?.user ? [h("h2", {}, t("todo")), h("p", {}, c.advice.user)] : "",
    h("details", {}, h("summary", {}, t("why")),
      h("p", {}, c.title),
      said?.began ? h("p", {}, said.began) : "",
      h("table", {}, c.evidence.map((e) => h("tr", {}, h("td", {}, e.fact), h("td", {}, e.value)))),
      c.advice?.technician ? h("p", {}, t("technician", { text: c.advice.technician })) : ""));
}

// offer is a remedy that the diagnosis suggests: done only after a yes.
function offer(complaint, o, kind) {
  const card = h("section", { class: "card" }, h("h2", {}, o.title), h("p", {}, o.text),
    h("div", { class: "row" }, button(t("yes"), async () => {
      const { verb, component, fault } = o.request;
      await settle(card, () => call("RunRemedy", { verb, component, fault }));
      card.append(h("div", { class: "row" }, button(t("again"), () => attempt((signal) => look(complaint, signal)))));
    }, kind)));
  return card;
}

function good() {
  say(t("good"));
  show(h("h1", {}, t("good")), row(back()));
}

const since = (begun) => Math.round(Math.min(performance.now() - begun, 2 ** 31 - 1));

// walk leads through the written procedure for a complaint, a step at a time.
async function walk(complaint, seen, signal) {
  const run = { id: crypto.randomUUID(), steps: [], trigger: "user", startedAt: seen.diagnosis.startedAt, diagnosisId: seen.diagnosis.id };
  const begun = performance.now(); // whatever happens to the clock
  for (;;) {
    const next = await call("Walk", { procedure: complaint, diagnosisId: seen.diagnosis.id, taken: run.steps });
    run.procedure = next.procedure.id;
    run.version = next.procedure.version;
    run.knowledgeRevision = next.knowledgeRevision;
    run.steps.push(...next.more);
    if (!next.step) {
      run.outcome = next.outcome;
      break;
    }
    const result = await step(complaint, seen, next, signal);
    seen = result.seen;
    run.steps.push({ step: next.step.id, answer: result.answer, by: result.by, elapsedMs: result.elapsed });
    if (result.answer === "helped") run.helped = true;
  }
  run.elapsedMs = since(begun);
  if (run.outcome === "solved" && run.helped === undefined) {
    run.helped = await ask(h("h1", {}, t("helped")), [["yes", t("helped.yes")], ["no", t("helped.no")]], signal) === "yes";
    if (!run.helped) run.outcome = "support";
  }
  await call("EndWalk", { run });
  if (run.outcome === "solved") return good();
  await compose(complaint, seen.diagnosis, t(run.outcome === "support" ? "support" : "ended"));
}

// step puts one step before the person, and gives what came of it.
async function step(complaint, seen, next, signal) {
  const begun = performance.now(); // whatever happens to the clock
  const s = next.step;
  const answered = (answer, by = "person") => ({ seen, answer, by, elapsed: since(begun) });
  const head = [h("p", { class: "quiet" }, t("together")), h("h1", {}, worded(s.text)),
    drawing(next.drawingSvg, worded(next.drawing)),
    s.link ? h("p", {}, h("a", { href: s.link, target: "_blank", rel: "noreferrer" }, s.link)) : ""];
  let remark = "";
  if (s.kind === "remedy") {
    if (!next.consent) return answered("not", "machine");
    if (await ask([head, h("p", {}, worded(next.consent))], [["yes", t("yes")], ["no", t("no")]], signal) === "no") return answered("skipped");
    const [shown, end] = mending();
    show(h("h1", {}, worded(s.text)), shown);
    const { result } = await call("RunRemedy", { verb: s.verb, component: next.component, fault: next.fault }).finally(end);
    remark = outcome(result);
    if (result.outcome !== "fixed" && result.outcome !== "notFixed") {
      await ask(remark, [["on", t("helped.no")]], signal);
      return answered("skipped");
    }
  } else if (s.kind === "manual" && next.visible) {
    if (await ask(head, [["done", t("done")], ["skipped", t("cannot")]], signal) === "skipped") return answered("skipped");
  }
  if ((s.kind === "manual" || s.kind === "remedy") && next.visible) {
    const before = seen.diagnosis.id;
    seen = await diagnose(complaint, signal);
    const { seen: said } = await call("Walk", { procedure: complaint, diagnosisId: seen.diagnosis.id, beforeDiagnosisId: before, step: s.id });
    if (said === "helped" && seen.diagnosis.rootCauses.length) {
      const enough = await ask([h("h1", {}, t("helped")), h("p", { class: "good" }, t("seen.helped"))], [["yes", t("helped.yes")], ["no", t("helped.no")]], signal);
      return answered(enough === "yes" ? "helped" : "not");
    }
    if (said) {
      say(t("seen." + said));
      return answered(said, "machine");
    }
  }
  return answered(await ask([remark, head], s.answers.map((a) => [a.id, worded(a.label)]), signal));
}

// ask shows something with big buttons, and waits for one.
function ask(what, choices, signal) {
  return new Promise((resolve, reject) => {
    signal?.addEventListener("abort", () => reject(new Trouble("stopped", "")), { once: true });
    show(what, h("div", { class: "choices" }, choices.map(([id, label]) => button(label, () => resolve(id)))));
  });
}

// compose is where a person asks for help. What they type is kept until it was
// sent, also when the page or the tray is closed.
async function compose(complaint, d, lead) {
  const typed = await written();
  const field = h("textarea", { id: "text", maxlength: "20000", "aria-describedby": "hint" });
  field.value = typed("text");
  field.addEventListener("input", () => keep("text", field.value));
  const shots = pictures();
  field.addEventListener("paste", shots.addPasted);
  const place = h("div");
  const kept = new Set(); // groups that stay here
  const leaves = h("details", {}, h("summary", {}, t("preview")));
  leaves.addEventListener("toggle", async () => {
    if (!leaves.open || leaves.childElementCount > 1) return;
    try {
      const { sections } = await call("PreviewTicket", { diagnosisId: d.id, language });
      leaves.append(h("p", { class: "quiet" }, t("preview.hint")), ...sections.map((s) => section(s, kept)));
    } catch (error) {
      leaves.append(trouble(error));
    }
  });
  const send = button(t("send.now"), async () => {
    send.disabled = true;
    place.replaceChildren(h("progress", { "aria-label": t("send.now") }));
    try {
      const images = await shots.read();
      const answer = await call("SubmitTicket", { complaint, text: field.value, diagnosisId: d.id, language, waitSeconds: 10, leaveOut: [...kept], pictures: images });
      await keep("text", "");
      await gone(answer, d.startedAt);
    } catch (error) {
      send.disabled = false;
      place.replaceChildren(trouble(error));
    }
  }, "main");
  show(
    others(),
    lead ? h("p", {}, lead) : "",
    h("h1", {}, t("send.title")),
    h("label", { for: "text" }, t("send.what")), h("p", { id: "hint", class: "quiet" }, t("send.hint")), field, shots,
    h("p", {}, t("send.leaves")), leaves, place,
    h("div", { class: "row" }, send, button(t("home"), () => attempt(start))),
  );
}

// gone says what became of a ticket: its number and by when it is answered, or that it
// waits, with the time that it keeps, and whom to telephone meanwhile.
async function gone({ number, id }, at) {
  const said = number ? t("sent", { number }) : t("sent.waits");
  let phone = "";
  if (!number) phone = (await call("GetStatus").catch(() => ({}))).phone;
  const due = h("p");
  if (number) call("ListTickets", { language }).then(({ tickets: mine }) => {
    const at = mine.find(({ ticket }) => ticket.id === id)?.ticket.dueAt;
    if (at) due.textContent = t("ticket.due", { when: day(at) });
  }).catch(() => {}); // "My tickets" has it later
  say(said);
  show(h("h1", {}, said),
    due,
    number ? "" : h("p", {}, t("sent.time", { when: time(at) })),
    phone ? h("p", {}, t("sent.phone", { phone })) : "",
    h("p", {}, t("sent.next")),
    row(button(t("tickets"), () => open("tickets")), back()));
}

// section is a part of what a ticket carries, with a switch where it may stay.
function section(s, kept) {
  const table = h("table", {}, s.facts.map((f) => h("tr", {}, h("th", { scope: "row" }, f.name), h("td", {}, f.value))));
  if (!s.group) return h("details", { class: "card" }, h("summary", {}, s.name), table);
  const box = h("input", { type: "checkbox", id: "send-" + s.group, checked: true, change: () => {
    if (box.checked) kept.delete(s.group);
    else kept.add(s.group);
    table.classList.toggle("kept", !box.checked);
  } });
  return h("div", { class: "card" },
    h("label", { class: "tick", for: box.id }, box, " ", t("preview.send", { name: s.name })),
    h("details", {}, h("summary", {}, t("preview.facts", { count: s.facts.length })), table));
}

home.addEventListener("click", () => attempt(start));
homeIs(start);
let wanted = "", shut;
try {
  wanted = await enter();
} catch (error) {
  shut = error;
}
await speak(sessionStorage.getItem("language") || (navigator.language.startsWith("fr") ? "fr" : "en"));
home.setAttribute("aria-label", "Constat – " + t("home"));
if (shut) show(h("h1", {}, t("title")), trouble(shut));
else open(wanted);
