// Notifications: a toast that disappears, a banner that stays until the problem is over, and the copy buttons.

const TOAST_DURATION = 4000; // ms
let hideTimer = 0;

/** Shows a message for a few seconds, and announces it to screen readers. */
export function notify(message, tone = "good") {
  const toast = document.getElementById("toast");
  document.getElementById("live-region").textContent = message;
  toast.textContent = message;
  toast.dataset.tone = tone;
  toast.hidden = false;
  clearTimeout(hideTimer);
  hideTimer = setTimeout(() => {
    toast.hidden = true;
  }, TOAST_DURATION);
}

/** Shows a banner that stays; null hides it. */
export function showBanner(message) {
  const banner = document.getElementById("banner");
  if (banner.textContent !== (message ?? "")) banner.textContent = message ?? "";
  banner.hidden = message === null;
}

/** Copies the text of the clicked button. */
export async function copyClicked(event) {
  const button = event.target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    notify("Copied.");
  } catch {
    // Over plain http from another machine there is no clipboard: the text is selected, for the keyboard to copy.
    const text = button.parentElement.querySelector("output, code");
    if (text) getSelection().selectAllChildren(text);
    notify("Selected; copy it with the keyboard.");
  }
}
