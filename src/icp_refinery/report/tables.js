"use strict";
// What all pages have: tables that sort, can be copied and saved.
const icp = (() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const fits = (value, wanted) => wanted === "all" || value === undefined || value === "all" || value === wanted;

  // How many rows of each table are shown.
  function countRows() {
    for (const label of all(".rows")) {
      const shown = all("tbody tr", label.closest(".table")).filter((row) => !row.hidden).length;
      const of = Number(label.dataset.of);
      label.textContent = shown === of ? `${of} ${of === 1 ? "row" : "rows"}` : `${shown} of ${of} rows`;
    }
  }

  const cellValue = (cell) => {
    if (cell.dataset.v === undefined) return cell.textContent.trim().toLowerCase();
    if (cell.dataset.v === "") return null;
    const number = Number(cell.dataset.v);
    return Number.isNaN(number) ? cell.dataset.v : number;
  };

  function sortBy(head) {
    const table = head.closest("table");
    const column = [...head.parentElement.children].indexOf(head);
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    const compare = (a, b) => {
      const [left, right] = [cellValue(a.cells[column]), cellValue(b.cells[column])];
      if (left === null || right === null) return (left === null) - (right === null);
      const order = typeof left === "number" && typeof right === "number" ? left - right : String(left).localeCompare(String(right));
      return ascending ? order : -order;
    };
    table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
  }

  // A cell that a spreadsheet would run as a formula is copied as text.
  const inert = (text) => (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const copied = (cell) => inert((cell.dataset.v ?? cell.textContent).trim().replace(/\s+/g, " "));

  const shownCells = (table) =>
    [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter((row) => !row.hidden)].map((row) => [...row.cells].map(copied));

  // What is shown, as a file for a spreadsheet.
  function save(table, name) {
    const quoted = (text) => `"${text.replaceAll('"', '""')}"`;
    const lines = shownCells(table).map((cells) => cells.map(quoted).join(","));
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`\ufeff${lines.join("\r\n")}\r\n`], { type: "text/csv;charset=utf-8" }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  async function copy(button) {
    const text = shownCells(button.closest(".table").querySelector("table")).map((cells) => cells.join("\t")).join("\n");
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const status = byId("status");
    if (status) status.textContent = done ? "Table copied." : "The browser did not allow copying.";
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => {
      button.textContent = "Copy table";
    }, 2000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.matches(".sort")) sortBy(button.closest("th"));
    if (button?.matches(".copy")) copy(button);
  });

  return { all, byId, fits, countRows, save };
})();
