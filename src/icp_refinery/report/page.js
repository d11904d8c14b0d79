"use strict";
(() => {
  const { all, byId, fits, countRows } = icp;
  const filters = JSON.parse(byId("filters").textContent);
  const tierOf = Object.fromEntries(filters.segments.map((segment) => [segment.segment_id, segment.tier]));
  const nameOf = Object.fromEntries(filters.segments.map((segment) => [segment.segment_id, segment.segment_name]));
  const segment = byId("segment");
  const tier = byId("tier");
  const views = [];

  // Filter ------------------------------------------------------------------------------------------------------------
  // A segment lies in one tier: where a segment is chosen, what is told by tier shows that tier.
  const chosen = () => ({ segment: segment.value, tier: segment.value === "all" ? tier.value : tierOf[segment.value] });

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
    for (const option of segment.options) {
      option.disabled = !fits(option.dataset.tier, tier.value);
    }
    countRows();
    const filtered = wanted.segment !== "all" || wanted.tier !== "all";
    byId("reset").disabled = !filtered;
    byId("status").textContent = filtered
      ? `Showing ${wanted.segment === "all" ? filters.tiers[wanted.tier] : nameOf[wanted.segment]}: ` +
        `${filters.segments.filter((one) => fits(one.segment_id, wanted.segment) && fits(one.tier, wanted.tier)).length} of ${filters.segments.length} segments`
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
    writeAddress();
    applyFilter();
  });
  addEventListener("hashchange", readAddress);
  // Links within the page keep the filter in the address.
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
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
  const scenario = JSON.parse(byId("scenario")?.textContent ?? "[]");
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
  // The report's charts are printed without their tables; analysts print all there is.
  const openAll = () => {
    if (document.documentElement.dataset.page === "analyst") all("details").forEach((details) => (details.open = true));
  };
  addEventListener("beforeprint", openAll);
  matchMedia("print").addEventListener("change", (event) => event.matches && openAll());

  readAddress();
  (async () => {
    for (const element of all(".vega")) await draw(element);
    document.documentElement.dataset.ready = "true";
    byId(new URLSearchParams(location.hash.slice(1)).get("at"))?.scrollIntoView();
  })();
})();
