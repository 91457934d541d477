// A picture that a person adds to a ticket: chosen or pasted, blacked out where
// they want, and drawn anew, so that nothing that is hidden stays in it.

import { button, h, row, say, t } from "./kit.js";

const most = 3; // pictures
const largest = 20; // MB of a file that is chosen
const sends = 3 << 20; // bytes of one that is sent
const widest = 2560;

// pictures is a place for them; its read() gives what is sent.
export function pictures() {
  const list = h("div");
  const said = h("p", { class: "bad", role: "alert" });
  // The browser's own button speaks the browser's language.
  const input = h("input", { type: "file", id: "picture", hidden: true, accept: "image/png,image/jpeg,image/webp", multiple: true, change: () => {
    add([...input.files]);
    input.value = "";
  } });
  const place = h("div", {},
    h("p", { class: "label" }, t("picture")), h("p", { class: "quiet", id: "picture-hint" }, t("picture.hint")),
    h("button", { type: "button", "aria-describedby": "picture-hint", click: () => input.click() }, t("picture.choose")), input, said, list);
  async function add(files) {
    said.textContent = "";
    for (const file of files) {
      const size = Math.ceil(file.size / 1e6);
      if (list.childElementCount >= most) said.textContent = t("picture.many", { most });
      else if (file.size > largest * 1e6) said.textContent = t("picture.large", { size, largest });
      else {
        try {
          list.append(editor(await createImageBitmap(file), list.childElementCount + 1));
        } catch {
          said.textContent = t("picture.none", { name: file.name });
        }
      }
    }
  }
  place.addPasted = (event) => {
    const files = [...(event.clipboardData?.files ?? [])].filter((f) => f.type.startsWith("image/"));
    if (files.length) { event.preventDefault(); add(files); }
  };
  place.read = async () => {
    const all = [];
    for (const canvas of list.querySelectorAll("canvas")) all.push(await encode(canvas));
    return all;
  };
  return place;
}

// editor shows a picture in which boxes are blacked out, by dragging, or by the
// keyboard: arrows move a corner, Enter sets it, and again the other one.
function editor(bitmap, number) {
  const scale = Math.min(1, widest / bitmap.width);
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-label": t("picture.label", { number }), "aria-describedby": "keys-" + number });
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const ink = canvas.getContext("2d");
  const boxes = [];
  let from, at = { x: canvas.width / 2, y: canvas.height / 2 }, moving = false;
  const box = (a, b) => [Math.min(a.x, b.x), Math.min(a.y, b.y), Math.abs(a.x - b.x), Math.abs(a.y - b.y)];
  canvas.paint = (editing) => {
    ink.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    ink.fillStyle = "#000";
    for (const b of boxes) ink.fillRect(...b);
    if (!editing) return;
    if (from) ink.fillRect(...box(from, at));
    if (moving) {
      ink.strokeStyle = "#e0218a";
      ink.lineWidth = Math.max(3, canvas.width / 300);
      ink.strokeRect(at.x - 8, at.y - 8, 16, 16);
    }
  };
  const end = () => {
    if (from && Math.abs(from.x - at.x) > 2 && Math.abs(from.y - at.y) > 2) {
      boxes.push(box(from, at));
      say(t("picture.boxed", { count: boxes.length }));
    }
    from = undefined;
    canvas.paint(true);
  };
  const where = (event) => {
    const r = canvas.getBoundingClientRect();
    return { x: (event.clientX - r.left) * canvas.width / r.width, y: (event.clientY - r.top) * canvas.height / r.height };
  };
  canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); moving = false; from = at = where(event); });
  canvas.addEventListener("pointermove", (event) => { if (from && !moving) { at = where(event); canvas.paint(true); } });
  canvas.addEventListener("pointerup", end);
  canvas.addEventListener("blur", () => { moving = false; from = undefined; canvas.paint(true); });
  canvas.addEventListener("keydown", (event) => {
    if (!moving && !from) at = { x: canvas.width / 2, y: canvas.height / 2 };
    const step = event.shiftKey ? 2 : Math.max(8, canvas.width / 40);
    const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[event.key];
    if (by) {
      at = { x: Math.min(canvas.width, Math.max(0, at.x + by[0])), y: Math.min(canvas.height, Math.max(0, at.y + by[1])) };
    } else if (event.key === "Enter") {
      if (from) { end(); event.preventDefault(); return; }
      from = at;
    } else return;
    moving = true;
    event.preventDefault();
    canvas.paint(true);
  });
  canvas.paint(true);
  const whole = h("div", { class: "card" }, canvas, h("p", { class: "quiet", id: "keys-" + number }, t("picture.how")),
    row(button(t("picture.undo"), () => { boxes.pop(); canvas.paint(true); }), button(t("picture.remove"), () => whole.remove())));
  return whole;
}

// encode draws what is seen and nothing else, as small as it has to be.
async function encode(canvas) {
  canvas.paint(false);
  const as = (surface, type, quality) => new Promise((done) => surface.toBlob(done, type, quality));
  let blob = await as(canvas, "image/png");
  if (blob.size > sends) blob = await as(canvas, "image/jpeg", 0.85);
  for (let part = 2; blob.size > sends; part *= 2) {
    const small = document.createElement("canvas");
    small.width = Math.max(1, canvas.width / part);
    small.height = Math.max(1, canvas.height / part);
    small.getContext("2d").drawImage(canvas, 0, 0, small.width, small.height);
    blob = await as(small, "image/jpeg", 0.85);
  }
  let text = "";
  for (const byte of new Uint8Array(await blob.arrayBuffer())) text += String.fromCharCode(byte);
  return btoa(text);
}
