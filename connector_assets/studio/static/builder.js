// The builder: a document at the left, and what comes of it at the right. All that is known comes from the API.
import { completions } from "./completion.js";
import { editor } from "./editor.js";
import { $, ask, el, faults, plural, table, tabs } from "./page.js";

const PAUSE_MS = 350;
const MOST_PAGES = 200;
const holder = $("editor");
let schema = {};
let seen = holder.dataset.seen;
let preview = null;
let looked = 0;

const pen = editor({
  parent: holder,
  text: $("source").value,
  label: "The connector's document, YAML. Escape then Tab leaves it.",
  nonce: holder.dataset.nonce,
  complete: (lines, row, column) => completions(schema, lines, row, column),
  changed: soon,
});
const showTab = tabs(document.querySelector(".looks > .tabs"));
tabs(document.querySelector(".tabs.small"));

// --- the document: faults as one types ---

let timer = 0;
function soon() {
  clearTimeout(timer);
  timer = setTimeout(look, PAUSE_MS);
  $("write").disabled = true;
}

async function look() {
  const turn = ++looked;
  const found = await ask("documents/validate", { yaml: pen.text() });
  if (turn !== looked) return;
  const findings = found.findings ?? [];
  pen.mark(findings);
  const bad = findings.filter((one) => one.level === "error").length;
  const rest = findings.length - bad;
  const parts = [bad && plural(bad, "fault"), rest && plural(rest, "remark")].filter(Boolean);
  $("state").textContent = parts.join(", ") || (found.ok ? "valid" : "");
  $("problems").replaceChildren(...findings.map((one) => el("li", {}, el("button", {
    type: "button",
    onclick: () => pen.go(one.line, one.column),
  }, el("span", { class: `mark ${one.level === "error" ? "bad" : "open"}` }, `${one.level} ${one.line}:${one.column}`),
  ` ${one.path ? `${one.path}: ` : ""}${one.message}`))), ...faults(found.errors).map((one) => el("li", {}, one)));
  if (!found.ok) return;
  $("name").textContent = found.id;
  streams(found.streams);
  $("needs").textContent = found.missing?.length
    ? `Not set: ${found.missing.join(", ")}. The API cannot be asked without; the simulator can.`
    : "";
}

function streams(all) {
  const select = $("stream");
  const before = select.value;
  select.replaceChildren(...all.map((one) => el("option", { value: one.name }, one.parents.length ? `${one.name} (for each of ${one.parents.join(", ")})` : one.name)));
  if (all.some((one) => one.name === before)) select.value = before;
}

let saved = seen ? pen.text() : "";
addEventListener("beforeunload", (event) => {
  if (![saved, $("source").value].includes(pen.text())) event.preventDefault();
});
addEventListener("pagehide", () => {
  if (preview) fetch(`/api/v1/previews/${preview}`, { method: "DELETE", keepalive: true });
});
addEventListener("keydown", (event) => {
  if (event.key === "s" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    $("save").click();
  }
});

$("format").addEventListener("click", async () => {
  const told = await ask("documents/format", { yaml: pen.text() });
  if (told.ok && told.yaml !== pen.text()) pen.replace(told.yaml);
  if (!told.ok) $("state").textContent = "only a valid document is formatted";
});

// --- preview: pages, one after the other ---

const planned = [];
$("plan-fault").addEventListener("click", () => {
  planned.push(`${$("fault").value}@${Math.max(1, Number($("at").value) || 1)}`);
  chips();
});
function chips() {
  $("faults").replaceChildren(...planned.map((one, index) => el("li", {}, el("button", {
    type: "button",
    "aria-label": `Remove ${one}`,
    onclick: () => { planned.splice(index, 1); chips(); },
  }, `${one} ×`))));
}

/** The settings that were written as NAME=VALUE, NAME=VALUE: what the simulator cannot make up. */
function given() {
  const pairs = $("given").value.split(",").map((one) => one.trim()).filter(Boolean);
  return Object.fromEntries(pairs.map((one) => {
    const [name, ...value] = one.split("=");
    return [name.trim(), value.join("=").trim()];
  }));
}

let pages = { rows: [], requests: [], answers: [] };
let stopped = false;

$("read").addEventListener("submit", async (event) => {
  event.preventDefault();
  if (preview) ask(`previews/${preview}`, null, { method: "DELETE" });
  preview = null;
  pages = { rows: [], requests: [], answers: [] };
  const source = new FormData($("read")).get("source");
  await take("previews", {
    yaml: pen.text(),
    stream: $("stream").value,
    source,
    faults: source === "simulated" ? planned : [],
    config: source === "simulated" ? given() : {},
  });
});
$("next").addEventListener("click", () => take(`previews/${preview}/next`, {}));
$("stop").addEventListener("click", () => { stopped = true; });
$("all").addEventListener("click", async () => {
  stopped = false;
  $("stop").hidden = false;
  for (let count = 0; preview && !stopped && count < MOST_PAGES; count++) await take(`previews/${preview}/next`, {});
  $("stop").hidden = true;
});

async function take(path, body) {
  busy(true);
  $("said").textContent = "asking …";
  const page = await ask(path, body);
  preview = page.preview && !page.done ? page.preview : null;
  busy(false);
  $("read-errors").replaceChildren(...faults(page.errors));
  if (page.page === undefined) {
    $("said").textContent = "";
    return;
  }
  pages.rows.push(...page.rows);
  pages.requests.push(...page.requests);
  if (page.answers.length) pages.answers = page.answers;
  const fired = page.faults.length ? `; faults so far: ${page.faults.join(", ")}` : "";
  const rest = !page.ok ? "then it failed" : page.done ? "this is the whole list" : "the list goes on";
  $("said").textContent = `${plural(page.page, "page")}, ${plural(page.rowsSoFar, "row")}; ${rest}${fired}`;
  $("read-errors").append(...page.notes.map((one) => el("p", { class: "note" }, one)));
  show(page);
}

function busy(is) {
  $("next").disabled = $("all").disabled = is || !preview;
  $("read").querySelector("button.main").disabled = is;
}

function show(page) {
  const names = page.columns.map((one) => one.name);
  const keys = [...new Set([...pages.rows.slice(0, 500).flatMap(Object.keys)])];
  $("rows").replaceChildren(pages.rows.length
    ? table(keys, pages.rows.slice(0, 500).map((row) => keys.map((key) => row[key])))
    : el("p", { class: "quiet" }, "No row came."));
  if (pages.rows.length > 500) $("rows").append(el("p", { class: "quiet" }, `the first 500 of ${pages.rows.length} that came here`));
  $("columns").replaceChildren(names.length
    ? table(["column", "type", ""], page.columns.map((one) => [one.name, one.type, one.isKey]))
    : el("p", { class: "quiet" }, "No column is known yet."));
  $("requests").replaceChildren(el("ol", {}, ...pages.requests.map((one) => el("li", {}, el("code", { class: "break" }, one)))));
  if (page.requestsLeft) $("requests").append(el("p", { class: "quiet" }, `and ${page.requestsLeft} more for this page`));
  $("answer").replaceChildren(...pages.answers.flatMap((one) => [
    el("p", {}, el("code", { class: "break" }, one.request), ` ${[one.status, one.type].filter(Boolean).join(" ")}, ${plural(one.bytes, "byte")}${one.isCut ? "; the beginning:" : ""}`),
    el("pre", {}, el("code", {}, readable(one.text, one.isCut))),
  ]));
}

function readable(text, isCut) {
  if (isCut) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

// --- test and cost ---

$("try").addEventListener("click", async () => {
  $("try").disabled = true;
  $("try-said").textContent = "loading from a fake of the API …";
  const told = await ask("documents/test", { yaml: pen.text() });
  $("try").disabled = false;
  const worst = ["failed", "not judged", "held"];
  const points = (told.points ?? []).sort((one, other) => worst.indexOf(one.verdict) - worst.indexOf(other.verdict));
  const failed = points.filter((one) => one.verdict === "failed").length;
  $("try-said").textContent = told.ok ? (failed ? `${plural(failed, "point")} failed` : "all held") : "";
  $("points").replaceChildren(...faults(told.errors), ...(told.ok ? [table(["", "what", "stream", "why"], points.map((one) => [
    el("span", { class: `mark ${{ held: "good", failed: "bad" }[one.verdict] ?? "open"}` }, one.verdict), one.name, one.stream, one.message,
  ]))] : []));
});

async function cost(probe) {
  $("plan-said").textContent = "counting …";
  const told = await ask("documents/plan", { yaml: pen.text(), probe });
  $("plan-said").textContent = told.ok
    ? `${told.isWhole ? "about" : "at least"} ${plural(told.requests, "request")}, ${told.isWhole ? "about" : "at least"} ${plural(told.seconds, "second")}`
    : "";
  $("plans").replaceChildren(...faults(told.errors), ...(told.ok ? [table(["stream", "requests", "seconds", "what is known"], told.streams.map((one) => [
    one.stream,
    one.requests === null || one.requests === undefined ? "not known" : `${one.certainty} ${one.requests}`,
    one.seconds ?? "",
    el("ul", {}, ...["known", "assumed", "unknown"].flatMap((kind) => (one[kind] ?? []).map((text) => el("li", {}, `${kind === "unknown" ? "not known" : kind}: ${text}`))), ...(one.errors ?? []).map((text) => el("li", { class: "fault" }, text))),
  ]))] : []));
}
$("plan").addEventListener("click", () => cost(false));
$("probe").addEventListener("click", () => cost(true));

// --- import ---

$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (file) $("pasted").value = await file.text();
});
$("importing").addEventListener("submit", async (event) => {
  event.preventDefault();
  const url = $("url").value.trim();
  $("import-said").textContent = "drafting …";
  const told = await ask("documents/import", {
    kind: $("kind").value,
    text: url ? "" : $("pasted").value,
    url,
    name: url ? "" : $("file").files[0]?.name ?? "",
    select: $("select").value.split(",").map((one) => one.trim()).filter(Boolean),
  });
  $("import-said").textContent = told.ok ? `${told.kind}: ${told.summary}` : "";
  $("report").replaceChildren(...faults(told.errors), ...(told.ok ? [
    ...(told.secrets.length ? [el("p", {}, `Set ${told.secrets.map((one) => one.variable).join(", ")} where the studio is started.`)] : []),
    table(["stream", "from", "", "remarks"], told.streams.map((one) => [
      one.stream, one.source, one.state, el("ul", {}, ...[...(one.why ? [one.why] : []), ...one.remarks.map((remark) => `${remark.field}: ${remark.says}`)].map((text) => el("li", {}, text))),
    ])),
  ] : []));
  if (!told.ok) return;
  seen = "";
  pen.replace(told.yaml);
});

// --- save: the difference first ---

$("save").addEventListener("click", async () => {
  showTab("tab-review");
  const told = await ask("documents/diff", { yaml: pen.text() });
  $("write").disabled = !told.ok || (!told.lines.length && !told.isNew);
  if (told.ok) $("write").dataset.seen = told.seen;
  const other = told.ok && !told.isNew && told.seen !== seen
    ? " The file is not the one that was opened here: somebody changed it, or the id is of another connector."
    : "";
  $("review-said").textContent = !told.ok ? "A valid document can be saved."
    : (told.isNew ? `${told.id} is new.` : told.lines.length ? `${told.id} is there already.` : "Nothing differs from the file.") + other;
  $("changes").replaceChildren(...faults(told.errors).map((one) => el("li", {}, one)), ...(told.changes ?? []).map((one) => el("li", {},
    el("span", { class: `mark ${{ breaking: "bad", warning: "open" }[one.level] ?? ""}` }, one.level),
    ` ${[one.stream || "connector", one.path].filter(Boolean).join(".")}: ${one.says}`)));
  $("lines").replaceChildren(...(told.lines ?? []).map((one) => el("div", { class: one.kind },
    `${{ added: "+ ", removed: "- ", same: "  ", gap: "" }[one.kind]}${one.text}`)));
  $("write").focus();
});
$("write").addEventListener("click", async () => {
  $("write").disabled = true;
  const told = await ask("documents/save", { yaml: pen.text(), seen: $("write").dataset.seen });
  $("review-said").textContent = told.ok ? `Saved as ${told.id}.` : "";
  $("changes").replaceChildren(...faults(told.errors).map((one) => el("li", {}, one)));
  if (!told.ok) return;
  seen = told.seen;
  saved = pen.text();
  $("lines").replaceChildren();
  $("changes").append(el("li", {}, el("a", { href: `/project/${encodeURIComponent(told.id)}` }, "Open it in the catalogue")));
  history.replaceState(null, "", `/builder?spec=${encodeURIComponent(told.id)}`);
});

const known = await ask("schema", null, { method: "GET" });
if (known.ok) schema = known.schema;
look();
