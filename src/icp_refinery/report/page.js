"use strict";
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const byId = (id) => document.getElementById(id);
  const filters = JSON.parse(byId("filters").textContent);
  const tierOf = Object.fromEntries(filters.segments.map((segment) => [segment.segment_id, segment.tier]));
  const nameOf = Object.fromEntries(filters.segments.map((segment) => [segment.segment_id, segment.segment_name]));
  const segment = byId("segment");
  const tier = byId("tier");
  const reason = byId("reason") ?? { value: "all" };
  const views = [];

  // Filter ------------------------------------------------------------------------------------------------------------
  // A segment lies in one tier: where a segment is chosen, what is told by tier shows that tier.
  const chosen = () => ({ segment: segment.value, tier: segment.value === "all" ? tier.value : tierOf[segment.value] });
  const fits = (value, wanted) => wanted === "all" || value === undefined || value === "all" || value === wanted;

  function setSignals(view) {
    for (const [name, value] of Object.entries(chosen())) {
      try {
        view.signal(name, value);
      } catch {
        continue; // a chart that is not told by this
      }
    }
    view.runAsync();
  }

  function applyFilter() {
    const wanted = chosen();
    for (const element of all("main [data-segment], main [data-tier]")) {
      if (element.closest("#answer")) continue; // the answer is that of the whole company, whatever is looked at below
      element.hidden = !(fits(element.dataset.segment, wanted.segment) && fits(element.dataset.tier, wanted.tier));
    }
    for (const row of all("#table-disagreements tbody tr")) {
      if (reason.value !== "all" && row.dataset.reason !== reason.value) row.hidden = true;
    }
    for (const option of segment.options) {
      option.disabled = !fits(option.dataset.tier, tier.value);
    }
    for (const label of all(".rows")) {
      const shown = all("tbody tr", label.closest(".table")).filter((row) => !row.hidden).length;
      const of = Number(label.dataset.of);
      label.textContent = shown === of ? `${of} ${of === 1 ? "row" : "rows"}` : `${shown} of ${of} rows`;
    }
    const cards = all(".card");
    const filtered = wanted.segment !== "all" || wanted.tier !== "all";
    byId("reset").disabled = !filtered;
    byId("status").textContent = filtered
      ? `Showing ${wanted.segment === "all" ? filters.tiers[wanted.tier] : nameOf[wanted.segment]}: ` +
        `${cards.filter((card) => !card.hidden).length} of ${cards.length} segments`
      : "";
    views.forEach(setSignals);
  }

  function readAddress() {
    const asked = new URLSearchParams(location.hash.slice(1));
    if (!location.hash.includes("=") && location.hash) return;
    tier.value = asked.get("tier") in filters.tiers ? asked.get("tier") : "all";
    segment.value = asked.get("segment") in tierOf ? asked.get("segment") : "all";
    if (tier.value !== "all" && segment.value !== "all" && tierOf[segment.value] !== tier.value) tier.value = "all";
    applyFilter();
  }

  function writeAddress(place) {
    const parts = new URLSearchParams();
    if (segment.value !== "all") parts.set("segment", segment.value);
    if (tier.value !== "all") parts.set("tier", tier.value);
    if (place) parts.set("at", place);
    history.replaceState(null, "", `#${parts}`);
  }

  tier.addEventListener("change", () => {
    if (!fits(tierOf[segment.value], tier.value)) segment.value = "all";
    writeAddress();
    applyFilter();
  });
  segment.addEventListener("change", () => {
    writeAddress();
    applyFilter();
  });
  byId("filter").addEventListener("submit", (event) => event.preventDefault());
  byId("filter").addEventListener("reset", (event) => {
    event.preventDefault();
    tier.value = "all";
    segment.value = "all";
    reason.value = "all";
    writeAddress();
    applyFilter();
  });
  byId("reason")?.addEventListener("change", applyFilter);
  addEventListener("hashchange", readAddress);
  // Links within the page keep the filter in the address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    // "67 that nobody works" leads to those 67.
    if (link?.dataset.reason) {
      reason.value = link.dataset.reason;
      segment.value = link.dataset.pick;
      tier.value = "all";
      applyFilter();
    }
    const target = link && byId(link.getAttribute("href").slice(1));
    if (!target || (segment.value === "all" && tier.value === "all")) return;
    event.preventDefault();
    target.scrollIntoView();
    target.focus();
    writeAddress(target.id);
  });

  // Scenario ----------------------------------------------------------------------------------------------------------
  // As many accounts as the reader says, those that bring most first.
  const capacity = byId("capacity");
  const scenario = JSON.parse(byId("scenario").textContent);
  const written = (amount) => amount.toLocaleString("en-US", { maximumFractionDigits: Math.abs(amount) >= 100 ? 0 : 2 });
  capacity?.addEventListener("input", () => {
    for (const [id, column] of [["upside-value", "each"], ["upside-low", "each_low"], ["upside-high", "each_high"]]) {
      let left = Math.max(0, Math.min(Number(capacity.value) || 0, Number(capacity.max)));
      let sum = 0;
      for (const row of scenario) {
        const worked = Math.min(left, row.accounts);
        sum += worked * row[column];
        left -= worked;
      }
      const shown = byId(id).querySelector("data");
      shown.value = String(sum);
      shown.textContent = written(sum);
    }
  });

  // Tables ------------------------------------------------------------------------------------------------------------
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

  function asText(table) {
    const rows = [table.tHead.rows[0], ...[...table.tBodies[0].rows].filter((row) => !row.hidden)];
    return rows.map((row) => [...row.cells].map(copied).join("\t")).join("\n");
  }

  async function copy(button) {
    const text = asText(button.closest(".table").querySelector("table"));
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
    byId("status").textContent = done ? "Table copied." : "The browser did not allow copying.";
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

  // Charts ------------------------------------------------------------------------------------------------------------
  const options = {
    ast: true,
    actions: false,
    defaultStyle: false,
    renderer: "svg",
    logLevel: 1, // errors
    tooltip: { disableDefaultStyle: true },
  };

  async function draw(element) {
    const spec = JSON.parse(byId(element.dataset.spec).textContent);
    const { view } = await vegaEmbed(element, spec, options);
    element.querySelector("svg").setAttribute("aria-hidden", "true"); // its place is an image with a text of its own
    views.push(view);
    setSignals(view);
  }

  // Print -------------------------------------------------------------------------------------------------------------
  const openAll = () => all("details").forEach((details) => (details.open = true));
  addEventListener("beforeprint", openAll);
  matchMedia("print").addEventListener("change", (event) => event.matches && openAll());

  readAddress();
  (async () => {
    for (const element of all(".vega")) await draw(element);
    document.documentElement.dataset.ready = "true";
    byId(new URLSearchParams(location.hash.slice(1)).get("at"))?.scrollIntoView();
  })();
})();
