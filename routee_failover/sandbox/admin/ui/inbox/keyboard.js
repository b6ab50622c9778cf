// Keyboard shortcuts of the page; inactive while a text field has the focus or a dialog is open.

const isTextField = (target) => target.matches("input:not([type=radio]), select, textarea");

export function listenToKeys({ moveSelection, backToList, search, dialogs, fields }) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") {
      handleEscape(event);
      return;
    }
    if (isTextField(event.target)) {
      if (event.target === fields.search && event.key === "ArrowDown") {
        event.preventDefault();
        backToList();
        moveSelection(0);
      }
      return;
    }
    const action = {
      j: () => moveSelection(1), k: () => moveSelection(-1), "/": focusSearch, "?": () => dialogs.help.showModal(),
    }[event.key];
    if (action) {
      event.preventDefault();
      action();
    }
  });

  function focusSearch() {
    document.body.classList.remove("in-flow");
    fields.search.focus();
    fields.search.select();
  }

  function handleEscape(event) {
    if (event.target === fields.search && fields.search.value) {
      fields.search.value = "";
      search();
    } else {
      backToList();
    }
    event.preventDefault();
  }
}
