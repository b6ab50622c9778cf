// The inbox: puts list, chosen flow and clock together, and follows what happens in the sandbox.

import { clear, flows as ask } from "./api.js";
import { Clock } from "./clock.js";
import { Detail } from "./detail.js";
import { Flows } from "./flows.js";
import { listenToKeys } from "./keys.js";
import { List, tally } from "./list.js";
import { follow } from "./live.js";
import { copied, say, warn } from "./notices.js";
import { soon } from "./soon.js";
import { welcome } from "./welcome.js";
import { count } from "./words.js";

const $ = (id) => document.getElementById(id);
const NAME = document.title;
const TICK = 250; // ms

const STRANGER = "This inbox answers only on the machine that it runs on, unless its sandbox was started with "
  + "--remote-control.";

const refused = (error) => {
  if (error.status === 403) warn(STRANGER);
  else if (error.status === 0) warn("The sandbox does not answer. Trying again …");
  else say(error.message, "bad");
};

const clock = new Clock($("clock"), refused);
const detail = new Detail($("flow"), clock, { refused, said: (words) => say(words), back: () => leave() });
const flows = new Flows(soon(() => changed()), refused);
const list = new List(flows, $("flows"), { choose, enter });

function changed() {
  list.draw();
  const total = flows.total;
  const filtered = Boolean(flows.filter.to || flows.filter.status);
  $("tally").textContent = tally(flows);
  $("clear-button").hidden = total === 0 && !filtered;
  $("flows").hidden = total === 0;
  $("nothing-found").hidden = total > 0 || !filtered;
  const none = flows.known && total === 0 && !filtered && detail.id === null;
  if (none && $("welcome").hidden) welcome($("welcome"));
  $("welcome").hidden = !none;
  document.body.classList.toggle("no-flow", none);
  document.title = filtered || !total ? NAME : `(${count(total)}) ${NAME}`;
}

/** Another flow is chosen: the address says which, so that it can be kept, sent on and gone back from. */
function choose(id, { written = true } = {}) {
  list.chosen = id;
  detail.choose(id);
  list.draw();
  if (id === null || !written) document.body.classList.toggle("in-flow", id !== null);
  if (!written) return;
  const address = id === null ? location.pathname + location.search : `#${id}`;
  history.replaceState(null, "", address);
}

/** The next flow, or the one before, for whoever walks from flow to flow. */
function walk(by) {
  list.move(by);
  if ($("flows").checkVisibility()) $("flows").focus({ preventScroll: true });
  else detail.focus();
}

/** Into the chosen flow; a mouse that clicks leaves the keys with the list as long as that can be seen. */
function enter({ clicked = false } = {}) {
  if (!detail.id) return;
  document.body.classList.add("in-flow");
  if (!clicked || !$("flows").checkVisibility()) detail.focus();
}

function leave() {
  document.body.classList.remove("in-flow");
  $("flows").focus();
  list.reveal();
}

function addressed() {
  try {
    return decodeURIComponent(location.hash.slice(1)) || null;
  } catch {
    return null; // somebody has typed what is no address
  }
}
window.addEventListener("hashchange", () => choose(addressed(), { written: false }));

let typing = 0;
function search() {
  clearTimeout(typing);
  typing = setTimeout(async () => {
    list.top();
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
    say("Every flow is cleared.");
  } catch (error) {
    refused(error);
  }
});
$("help-button").addEventListener("click", () => $("help").showModal());
document.addEventListener("click", copied);
listenToKeys({ walk, leave, search, dialogs: { help: $("help") }, fields: { search: $("search") } });

setInterval(() => {
  if (document.hidden || !clock.runs) return;
  clock.tick();
  detail.tick();
}, TICK);

let anew = null;
/** Everything may have changed. */
function reload() {
  anew ??= setTimeout(async () => {
    anew = null;
    await Promise.all([flows.reload(), detail.load(), clock.load().catch(refused)]);
  }, 0);
}

follow({
  connected: () => {
    warn(null);
    reload();
  },
  lost: () => ask({ limit: 1 }).catch(refused), // to know why: a stream does not tell
  flow: (flow) => {
    flows.take(flow);
    if (flow.id === detail.id) detail.load();
  },
  callback: ({ flowId }) => {
    if (flowId === detail.id) detail.load();
  },
  clock: (told) => {
    clock.set(told);
    detail.load(); // what is left of a ttl, told by the sandbox: its clock and this page's may differ by a moment
  },
  cleared: () => {
    flows.forget();
    choose(null);
  },
  lagged: () => {
    // As long as very much happens this is told again and again: look anew twice a second, and not only at the end.
    anew ??= setTimeout(() => {
      anew = null;
      reload();
    }, 500);
  },
});
choose(addressed(), { written: false });
