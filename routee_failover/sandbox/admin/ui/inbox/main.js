// Entry point of the inbox page: connects flow list, flow detail and clock with the events of the sandbox.

import { clear, flows as requestFlows } from "./api.js";
import { Clock } from "./clock.js";
import { showEmptyState } from "./empty_state.js";
import { subscribe } from "./event_stream.js";
import { FlowCache } from "./flow_cache.js";
import { FlowDetail } from "./flow_detail.js";
import { FlowList, countLabel } from "./flow_list.js";
import { count } from "./format.js";
import { listenToKeys } from "./keyboard.js";
import { copyClicked, notify, showBanner } from "./notifications.js";
import { throttled } from "./throttle.js";

const $ = (id) => document.getElementById(id);
const TITLE = document.title;
const TICK = 250; // ms

const REMOTE_CALLER = "This inbox accepts requests only from the machine that it runs on, unless its sandbox was "
  + "started with --remote-control.";

const onError = (error) => {
  if (error.status === 403) showBanner(REMOTE_CALLER);
  else if (error.status === 0) showBanner("The sandbox does not respond. Reconnecting …");
  else notify(error.message, "bad");
};

const clock = new Clock($("clock"), onError);
const detail = new FlowDetail($("flow"), clock, { onError, onNotice: notify, onBack: () => backToList() });
const flows = new FlowCache(throttled(() => redraw()), onError);
const list = new FlowList(flows, $("flows"), { select, enter });

function redraw() {
  list.draw();
  const total = flows.total;
  const filtered = Boolean(flows.filter.to || flows.filter.status);
  $("flow-count").textContent = countLabel(flows);
  $("clear-button").hidden = total === 0 && !filtered;
  $("flows").hidden = total === 0;
  $("nothing-found").hidden = total > 0 || !filtered;
  const isEmpty = flows.known && total === 0 && !filtered && detail.id === null;
  if (isEmpty && $("empty-state").hidden) showEmptyState($("empty-state"));
  $("empty-state").hidden = !isEmpty;
  document.body.classList.toggle("no-flow", isEmpty);
  document.title = filtered || !total ? TITLE : `(${count(total)}) ${TITLE}`;
}

/** Selects another flow and writes it into the URL, so that it can be bookmarked and shared. */
function select(id, { updateUrl = true } = {}) {
  list.selected = id;
  detail.select(id);
  list.draw();
  if (id === null || !updateUrl) document.body.classList.toggle("in-flow", id !== null);
  if (!updateUrl) return;
  const url = id === null ? location.pathname + location.search : `#${id}`;
  history.replaceState(null, "", url);
}

/** Selects the next flow, or the previous one, by keyboard. */
function moveSelection(by) {
  list.move(by);
  if ($("flows").checkVisibility()) $("flows").focus({ preventScroll: true });
  else detail.focus();
}

/** Opens the selected flow; after a click, the keyboard focus stays in the list as long as that is visible. */
function enter({ clicked = false } = {}) {
  if (!detail.id) return;
  document.body.classList.add("in-flow");
  if (!clicked || !$("flows").checkVisibility()) detail.focus();
}

function backToList() {
  document.body.classList.remove("in-flow");
  $("flows").focus();
  list.reveal();
}

function selectedInUrl() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null; // the fragment is not valid percent-encoding
  }
}
window.addEventListener("hashchange", () => select(selectedInUrl(), { updateUrl: false }));

let searchTimer = 0;
function search() {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(async () => {
    list.scrollToTop();
    await flows.reload({ to: $("search").value.replace(/[^\d+]/g, ""), status: $("status").value });
  }, 120);
}
$("filter").addEventListener("input", search);
$("filter").addEventListener("submit", (event) => {
  event.preventDefault();
  $("flows").focus();
});

$("clear-button").addEventListener("click", () => $("clear").showModal());
$("clear").addEventListener("close", async () => {
  if ($("clear").returnValue !== "clear") return;
  $("clear").returnValue = "";
  try {
    await clear();
    notify("All flows cleared.");
  } catch (error) {
    onError(error);
  }
});
$("help-button").addEventListener("click", () => $("help").showModal());
document.addEventListener("click", copyClicked);
listenToKeys({ moveSelection, backToList, search, dialogs: { help: $("help") }, fields: { search: $("search") } });

setInterval(() => {
  if (document.hidden || !clock.runs) return;
  clock.tick();
  detail.tick();
}, TICK);

let reloadTimer = null;
/** Reloads everything. */
function reload() {
  reloadTimer ??= setTimeout(async () => {
    reloadTimer = null;
    await Promise.all([flows.reload(), detail.load(), clock.load().catch(onError)]);
  }, 0);
}

subscribe({
  connected: () => {
    showBanner(null);
    reload();
  },
  lost: () => requestFlows({ limit: 1 }).catch(onError), // for the reason, which an event stream does not give
  flow: (flow) => {
    flows.apply(flow);
    if (flow.id === detail.id) detail.load();
  },
  callback: ({ flowId }) => {
    if (flowId === detail.id) detail.load();
  },
  clock: (reading) => {
    clock.set(reading);
    detail.load(); // for the rest of a ttl: the clocks of sandbox and page may differ slightly
  },
  cleared: () => {
    flows.clear();
    select(null);
  },
  lagged: () => {
    // While there are many events this one repeats: reload twice per second, and not only at the end.
    reloadTimer ??= setTimeout(() => {
      reloadTimer = null;
      reload();
    }, 500);
  },
});
select(selectedInUrl(), { updateUrl: false });
