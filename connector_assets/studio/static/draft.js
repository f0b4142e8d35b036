// A draft from documentation: progress as it comes, a way to cancel, what it cost, and what is open.
import { $, el, faults, plural } from "./page.js";

/** Makes the form work; `taken` is given the draft's text. */
export function drafted(taken) {
  let ending = null;
  $("draft-stop").addEventListener("click", () => ending?.abort());
  $("drafting").addEventListener("submit", async (event) => {
    event.preventDefault();
    ending?.abort();
    ending = new AbortController();
    busy(true);
    $("draft-cost").textContent = "";
    $("draft-open").replaceChildren();
    const told = await lines(asked(), ending.signal, (text) => { $("draft-said").textContent = text; });
    busy(false);
    if (told.ok) show(told);
    $("draft-said").textContent = told.aborted ? "cancelled" : told.ok ? "drafted" : "";
    $("draft-open").prepend(...faults(told.errors));
    if (told.ok) taken(told.yaml);
  });
}

function asked() {
  const url = $("docs").value.trim();
  return { url, text: url ? "" : $("docs-text").value, wish: $("wish").value.trim() };
}

function busy(is) {
  $("draft-stop").hidden = !is;
  $("drafting").querySelector("button.main").disabled = is;
}

function show(told) {
  const { usage } = told;
  const tokens = `${(usage.inputTokens + usage.outputTokens).toLocaleString("en")} of ${usage.maxTokens.toLocaleString("en")} tokens`;
  const price = usage.costUsd ? `, $${usage.costUsd}` : "";
  const sourced = told.provenance.filter((one) => one.sentence !== null).length;
  $("draft-cost").textContent = `${usage.model ? `by ${usage.model}: ${plural(usage.rounds, "round")}, ${tokens}${price}` : "by rules, without a model"}; ${plural(usage.pages, "page")}; ${sourced} of ${plural(told.provenance.length, "value")} with a sentence; trial: ${usage.trial ?? "not run"}`;
  $("draft-open").replaceChildren(el("ul", {}, ...told.open_questions.map((one) => el("li", {}, one))));
}

/** Asks for a draft; each line of progress is told, and the last line is the answer. */
async function lines(body, signal, told) {
  try {
    const answer = await fetch("/api/v1/ai/generate-yaml-connector", {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/x-ndjson" },
      body: JSON.stringify(body),
      signal,
    });
    if (!answer.headers.get("Content-Type")?.includes("ndjson")) return await answer.json();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return { ok: false, errors: ["studio: ended before the draft was there"] };
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      for (const part of parts) {
        const one = JSON.parse(part);
        if ("ok" in one) return one;
        told(one.progress);
      }
    }
  } catch (error) {
    if (error.name === "AbortError") return { ok: false, errors: [], aborted: true };
    return { ok: false, errors: ["studio: does not answer; is it still running?"] };
  }
}
