// The page by keyboard: a few keys, and none of them while somebody types or a dialog is open.

const typing = (element) => element.matches("input:not([type=radio]), select, textarea");

export function listenToKeys({ walk, leave, search, dialogs, fields }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      escape(event);
      return;
    }
    if (typing(event.target)) {
      if (event.target === fields.search && event.key === "ArrowDown") {
        event.preventDefault();
        leave();
        walk(0);
      }
      return;
    }
    const todo = { j: () => walk(1), k: () => walk(-1), "/": find, "?": () => dialogs.help.showModal() }[event.key];
    if (todo) {
      event.preventDefault();
      todo();
    }
  });

  function find() {
    document.body.classList.remove("in-flow");
    fields.search.focus();
    fields.search.select();
  }

  function escape(event) {
    if (event.target === fields.search && fields.search.value) {
      fields.search.value = "";
      search();
    } else {
      leave();
    }
    event.preventDefault();
  }
}
