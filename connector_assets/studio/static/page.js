// What the parts of the builder share: elements, tabs, and requests to the studio's own API.

export const $ = (id) => document.getElementById(id);

/** An element: attributes, then children; text is text, whatever is in it. */
export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "onclick") made.addEventListener("click", value);
    else made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** Asks the API; what comes always has `ok`, and `errors` where that is false. */
export async function ask(path, body, { method = "POST", signal } = {}) {
  const sent = method === "GET" || method === "DELETE" ? { method } : {
    method,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body ?? {}),
  };
  try {
    const answer = await fetch(`/api/v1/${path}`, { ...sent, signal });
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") return { ok: false, errors: [], aborted: true };
    return { ok: false, errors: ["studio: does not answer; is it still running?"] };
  }
}

/** The errors of an answer as paragraphs. */
export function faults(lines) {
  if (!lines?.length) return [];
  return [el("div", { class: "note bad" }, ...lines.map((line) => el("p", {}, line)))];
}

/** A table; a cell may be text, a number, null, or an element. */
export function table(heads, rows) {
  const cell = (value) => {
    if (value instanceof Node) return el("td", {}, value);
    if (value === null || value === undefined) return el("td", { class: "null" }, "null");
    if (typeof value === "number") return el("td", { class: "number" }, String(value));
    return el("td", {}, typeof value === "object" ? JSON.stringify(value) : String(value));
  };
  return el("table", {},
    el("thead", {}, el("tr", {}, ...heads.map((one) => el("th", { scope: "col" }, one)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map(cell)))));
}

/** Makes a tablist work: a click, arrow keys, Home and End. */
export function tabs(list) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const choose = (tab, focus) => {
    for (const one of all) {
      const on = one === tab;
      one.setAttribute("aria-selected", String(on));
      one.tabIndex = on ? 0 : -1;
      $(one.getAttribute("aria-controls")).hidden = !on;
    }
    if (focus) tab.focus();
  };
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) choose(tab);
  });
  list.addEventListener("keydown", (event) => {
    const at = all.indexOf(document.activeElement);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    choose(all[(to + all.length) % all.length], true);
  });
  return (id) => choose($(id));
}

export const plural = (count, word) => `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
