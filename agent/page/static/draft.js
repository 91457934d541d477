// What a person typed and did not send yet. The tray keeps it, so that it outlives the
// tab, the browser and the tray; where that can't be, the browser does.

import { drafts } from "./agent.js";

const unsaved = new Map();
let saving;

// written gives what gives a text by its key.
export async function written() {
  await saving;
  const kept = await drafts({}).catch(() => ({}));
  return (key) => localStorage.getItem(key) ?? kept[key] ?? "";
}

// keep takes a text as it is now; an empty one is forgotten.
export function keep(key, text) {
  unsaved.set(key, text);
  return saving ??= save().finally(() => { saving = undefined; });
}

async function save() {
  for (const [key, text] of unsaved) { // also what comes meanwhile
    unsaved.delete(key);
    try {
      await drafts({ [key]: text });
      localStorage.removeItem(key);
    } catch {
      if (text) localStorage.setItem(key, text);
      else localStorage.removeItem(key);
    }
  }
}
