"use strict";
(() => {
  const { all, byId, fits, countRows, save } = icp;
  const form = byId("filter");
  const rows = all("#table-disagreements tbody tr");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const choices = { tier: byId("tier"), segment: byId("segment"), reason: byId("reason") };
  const search = byId("search");

  function apply() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const chosen = Object.entries(choices).every(([name, choice]) => fits(row.dataset[name], choice.value));
      row.hidden = !(chosen && words.every((word) => texts.get(row).includes(word)));
    }
    countRows();
    const shown = rows.filter((row) => !row.hidden).length;
    byId("reset").disabled = shown === rows.length;
    byId("status").textContent = shown === rows.length ? "" : `Showing ${shown} of ${rows.length} accounts`;
  }

  function readAddress() {
    if (location.hash && !location.hash.includes("=")) return;
    const asked = new URLSearchParams(location.hash.slice(1));
    for (const [name, choice] of Object.entries(choices)) {
      choice.value = [...choice.options].some((option) => option.value === asked.get(name)) ? asked.get(name) : "all";
    }
    search.value = asked.get("search") ?? "";
    apply();
  }

  function changed() {
    const parts = new URLSearchParams();
    for (const [name, choice] of Object.entries(choices)) {
      if (choice.value !== "all") parts.set(name, choice.value);
    }
    if (search.value) parts.set("search", search.value);
    history.replaceState(null, "", `#${parts}`);
    apply();
  }

  if (form) {
    form.addEventListener("input", changed);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(changed)); // the fields are emptied after this event
    byId("save").addEventListener("click", (event) => save(byId("table-disagreements").querySelector("table"), event.target.dataset.name));
    addEventListener("hashchange", readAddress);
    readAddress();
  }
  document.documentElement.dataset.ready = "true";
})();
