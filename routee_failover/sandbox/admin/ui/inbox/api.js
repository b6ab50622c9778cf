// What the page asks of the sandbox. Addresses are relative, so that the page also works behind another path.

const here = (path) => new URL(path, document.baseURI);

/** A no of the sandbox, in its own words; `status` 0 means that it did not answer at all. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function ask(method, path, { query = {}, body } = {}) {
  const address = here(path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) address.searchParams.set(name, value);
  }
  const how = { method, cache: "no-store" };
  if (body !== undefined) {
    how.headers = { "Content-Type": "application/json" };
    how.body = JSON.stringify(body);
  }
  let answer;
  let said;
  try {
    answer = await fetch(address, how);
    said = await answer.json();
  } catch {
    throw new Refused(answer?.status ?? 0, "The sandbox did not answer");
  }
  if (!answer.ok) throw new Refused(answer.status, said.developerMessage ?? `The sandbox answered ${answer.status}`);
  return said;
}

export const flows = (query) => ask("GET", "sandbox/flows", { query });
export const flow = (id) => ask("GET", `sandbox/flows/${encodeURIComponent(id)}`);
export const act = (id, body) => ask("POST", `sandbox/flows/${encodeURIComponent(id)}/actions`, { body });
export const clear = () => ask("DELETE", "sandbox/flows");
export const clock = () => ask("GET", "sandbox/clock");
export const setClock = (body) => ask("POST", "sandbox/clock", { body });
export const events = () => new EventSource(here("sandbox/events"));
