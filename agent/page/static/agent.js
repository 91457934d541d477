// What the page asks of the agent on this machine: the calls of LocalService,
// by their names, with the messages of the protocol as JSON.

let session = sessionStorage.getItem("session");

// Trouble is what could not be done: a kind that the page words itself, and the
// agent's own sentence for whoever helps.
export class Trouble extends Error {
  constructor(kind, said) {
    super(said);
    this.kind = kind;
  }
}

// enter trades the one-time token of the address for a session of this tab, and
// gives the view that the address asks for.
export async function enter() {
  const [token, view] = location.hash.slice(1).split("/");
  history.replaceState(null, "", "/");
  if (token) {
    const answer = await ask("/enter", token, "");
    if (answer.ok) {
      const { session: own, language } = await answer.json();
      session = own;
      sessionStorage.setItem("session", own);
      sessionStorage.setItem("language", language);
    } else if (!session) {
      throw new Trouble("session", await answer.text());
    }
  }
  if (!session) throw new Trouble("session", "");
  return view || "";
}

function ask(path, key, body, signal, keepalive) {
  return fetch(path, { method: "POST", headers: { Authorization: "Bearer " + key, "Content-Type": "application/json" }, body, signal, keepalive })
    .catch((reason) => { throw new Trouble(signal?.aborted ? "stopped" : "closed", String(reason)); });
}

// follow calls a method and gives each message as it comes.
export async function* follow(method, request = {}, signal) {
  const answer = await ask("/agent/" + method, session, JSON.stringify(request), signal);
  if (!answer.ok) throw trouble(await answer.json().catch(() => ({})));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (reason) {
      throw new Trouble(signal?.aborted ? "stopped" : "closed", String(reason));
    }
    rest += piece.value ?? "";
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const message = JSON.parse(line);
      if (message.problem !== undefined && message.said !== undefined) throw trouble(message);
      yield message;
    }
    if (piece.done) return;
  }
}

// call calls a method with one answer.
export async function call(method, request) {
  for await (const message of follow(method, request)) return message;
  throw new Trouble("failed", method + " gave no answer");
}

// drafts keeps changes of what is typed, also when the tab closes just now, and gives
// all that is kept.
export async function drafts(changes) {
  const body = JSON.stringify(changes);
  const answer = await ask("/drafts", session, body, undefined, body.length < 16000); // browsers send no more behind a tab
  if (!answer.ok) throw trouble(await answer.json().catch(() => ({})));
  return answer.json();
}

function trouble({ problem = "failed", said = "" }) {
  return new Trouble(problem, said);
}
