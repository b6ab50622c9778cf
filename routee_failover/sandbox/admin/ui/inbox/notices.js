// What the page says in passing: a note that goes away, a banner that stays until things are well, and what was copied.

const SHOWN = 4000; // ms
let going = 0;

/** Say something once, to eyes and to ears. */
export function say(words, tone = "good") {
  const note = document.getElementById("note");
  document.getElementById("said").textContent = words;
  note.textContent = words;
  note.dataset.tone = tone;
  note.hidden = false;
  clearTimeout(going);
  going = setTimeout(() => {
    note.hidden = true;
  }, SHOWN);
}

/** A banner that stays; null takes it away. */
export function warn(words) {
  const banner = document.getElementById("banner");
  if (banner.textContent !== (words ?? "")) banner.textContent = words ?? "";
  banner.hidden = words === null;
}

/** Copies what the clicked button holds. */
export async function copied(event) {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied.");
  } catch {
    // Plain http to another machine has no clipboard: the text is marked, and the keyboard copies it.
    const text = button.parentElement.querySelector("output, code");
    if (text) getSelection().selectAllChildren(text);
    say("Marked; copy it with the keyboard.");
  }
}
