// A drawing of a step. It comes as text and is built anew from lines and shapes,
// so that nothing else in it can become part of the page.

const shapes = ["g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon"];
const drawn = ["viewBox", "fill", "stroke", "stroke-width", "stroke-linecap", "stroke-linejoin", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx", "ry", "width", "height", "points", "transform"];

// drawing gives an element, or nothing where there is none.
export function drawing(content, label) {
  if (!content) return "";
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const { documentElement: root } = new DOMParser().parseFromString(new TextDecoder().decode(bytes), "image/svg+xml");
  if (root.localName !== "svg") return "";
  const copy = (from) => {
    const to = document.createElementNS(root.namespaceURI, from.localName);
    for (const name of drawn) if (from.hasAttribute(name)) to.setAttribute(name, from.getAttribute(name));
    to.append(...[...from.children].filter((c) => shapes.includes(c.localName)).map(copy));
    return to;
  };
  const picture = copy(root);
  picture.setAttribute("class", "drawing");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", label);
  return picture;
}
