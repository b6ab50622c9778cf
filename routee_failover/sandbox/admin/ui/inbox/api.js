// Client of the sandbox's admin API. URLs are relative, so that the page also works behind a path prefix.

const resolveUrl = (path) => new URL(path, document.baseURI);

/** Error response of the sandbox, with its message; `status` 0 means that there was no response. */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function request(method, path, { query = {}, body } = {}) {
  const url = resolveUrl(path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, value);
  }
  const options = { method, cache: "no-store" };
  if (body !== undefined) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  let response;
  let data;
  try {
    response = await fetch(url, options);
    data = await response.json();
  } catch {
    throw new ApiError(response?.status ?? 0, "The sandbox did not respond");
  }
  if (!response.ok) {
    throw new ApiError(response.status, data.developerMessage ?? `The sandbox responded with ${response.status}`);
  }
  return data;
}

export const flows = (query) => request("GET", "sandbox/flows", { query });
export const flow = (id) => request("GET", `sandbox/flows/${encodeURIComponent(id)}`);
export const act = (id, body) => request("POST", `sandbox/flows/${encodeURIComponent(id)}/actions`, { body });
export const clear = () => request("DELETE", "sandbox/flows");
export const clock = () => request("GET", "sandbox/clock");
export const setClock = (body) => request("POST", "sandbox/clock", { body });
export const events = () => new EventSource(resolveUrl("sandbox/events"));
