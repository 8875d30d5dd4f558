"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const head = JSON.parse(byId("head").textContent);
  // Images stay in their own script elements until they are shown.
  const runs = Array.from(document.querySelectorAll("script.run"), (one, place) => ({ ...JSON.parse(one.textContent), place }));
  const BATCH = 60;
  const MOST_CHOICES = 300;
  const LONG = 24;
  const grid = byId("grid");
  const viewer = byId("viewer");
  let shown = runs;
  let drawn = 0;
  let current = -1;
  let reversed = false;

  // ---------------------------------------------------------------- small helpers

  /** Create an element. Text is inserted as text, never as markup. */
  function make(tag, properties, ...children) {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  }

  const words = (value) => (value === null ? "–" : value === true ? "true" : value === false ? "false" : value === "" ? "(empty)" : String(value));
  const duration = (seconds) => (seconds >= 90 ? `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s` : `${Number(seconds.toPrecision(3))} s`);
  const inline = (kind, mime, place) => `data:${mime};base64,${byId(kind + place).textContent}`;
  const thumbnail = (run) => (run.thumbnail ? inline("t", run.thumbnail, run.place) : picture(run));
  const picture = (run) => run.picture ?? (run.inline ? inline("p", run.inline, run.place) : null);
  const compare = new Intl.Collator(undefined, { numeric: true }).compare;

  function ordered(one, other) {
    if (one === other) return 0;
    if (one === null || other === null) return one === null ? 1 : -1;
    return typeof one === "number" && typeof other === "number" ? one - other : compare(words(one), words(other));
  }

  function facts(list, pairs) {
    for (const [name, value, kind] of pairs) {
      const long = words(value).length > LONG ? " long" : "";
      list.append(make("dt", { textContent: name, className: long }), make("dd", { textContent: words(value), className: (kind ?? "") + long }));
    }
    return list;
  }

  // ---------------------------------------------------------------- filters

  const fields = [...head.axes.map((name, at) => ({ name, of: (run) => run.values[at] })), { name: "status", of: (run) => run.state }];
  for (const field of fields) {
    field.counts = new Map();
    for (const run of runs) field.counts.set(field.of(run), (field.counts.get(field.of(run)) ?? 0) + 1);
    field.choices = [...field.counts.keys()];
    if (field.choices.every((value) => typeof value === "number")) field.choices.sort(ordered);
    field.wanted = new Set();
  }

  function filterMenu(field) {
    const text = make("span");
    const menu = make("div", { className: "menu" });
    const filter = make("details", { className: "filter" }, make("summary", {}, text), menu);
    filter.dataset.field = field.name;
    field.updateLabel = () => {
      const chosen = [...field.wanted];
      text.textContent = `${field.name}: ${chosen.length === 0 ? "all" : chosen.length === 1 ? words(chosen[0]) : `${chosen.length} values`}`;
      filter.classList.toggle("on", chosen.length > 0);
    };
    const fill = (query) => {
      menu.querySelectorAll("label, p").forEach((one) => one.remove());
      const found = field.choices.filter((value) => words(value).toLowerCase().includes(query));
      for (const value of found.slice(0, MOST_CHOICES)) {
        const box = make("input", { type: "checkbox", checked: field.wanted.has(value) });
        box.addEventListener("change", () => {
          field.wanted[box.checked ? "add" : "delete"](value);
          update();
        });
        menu.append(make("label", {}, box, make("span", { textContent: words(value), title: words(value) }), make("span", { textContent: field.counts.get(value) })));
      }
      if (found.length > MOST_CHOICES) menu.append(make("p", { textContent: `and ${found.length - MOST_CHOICES} more (search to find them)` }));
    };
    filter.addEventListener("toggle", () => {
      menu.replaceChildren();
      if (!filter.open) return;
      document.querySelectorAll("details.filter[open]").forEach((one) => { if (one !== filter) one.open = false; });
      const every = make("button", { type: "button", textContent: "All" });
      every.addEventListener("click", () => { field.wanted.clear(); fill(""); update(); });
      const search = make("input", { type: "search", placeholder: "Search", hidden: field.choices.length < 9 });
      search.setAttribute("aria-label", `Search in ${field.name}`);
      search.addEventListener("input", () => fill(search.value.trim().toLowerCase()));
      menu.append(make("div", {}, search, every));
      fill("");
      menu.style.left = "0";
      menu.style.left = `${Math.min(0, document.documentElement.clientWidth - 12 - menu.getBoundingClientRect().right)}px`;
    });
    field.updateLabel();
    return filter;
  }

  document.addEventListener("click", (event) => {
    document.querySelectorAll("details.filter[open]").forEach((one) => { if (!one.contains(event.target)) one.open = false; });
  });

  function matches(run, query) {
    if (fields.some((field) => field.wanted.size > 0 && !field.wanted.has(field.of(run)))) return false;
    if (query === "") return true;
    const texts = [String(run.index), run.error ?? "", ...run.values.map(words), ...Object.values(run.others ?? {}).map(words)];
    return texts.some((text) => text.toLowerCase().includes(query));
  }

  // ---------------------------------------------------------------- the grid

  function update() {
    const query = byId("search").value.trim().toLowerCase();
    shown = runs.filter((run) => matches(run, query));
    const key = byId("sort").value;
    if (key !== "index") {
      const of = key === "seconds" ? (run) => run.seconds ?? null : fields[Number(key)].of;
      shown.sort((one, other) => ordered(of(one), of(other)) || one.place - other.place);
    }
    if (reversed) shown.reverse();
    for (const field of fields) field.updateLabel?.();
    const narrowed = shown.length < runs.length;
    byId("reset").hidden = !narrowed && fields.every((field) => field.wanted.size === 0) && query === "";
    byId("count").textContent = narrowed ? `${shown.length} of ${runs.length} runs` : summary();
    byId("note").textContent = runs.length === 0 ? "No runs." : shown.length === 0 ? "No matching runs." : "";
    byId("note").hidden = shown.length > 0;
    drawn = 0;
    grid.replaceChildren();
    more();
  }

  function summary() {
    const states = fields.at(-1).counts;
    const parts = states.size > 1 || runs.length === 0 ? [...states].map(([state, count]) => `${count} ${state}`) : [];
    return [`${runs.length} ${runs.length === 1 ? "run" : "runs"}`, ...parts].join(" · ");
  }

  function card(run, at) {
    const shot = make("div", { className: "shot" });
    const source = thumbnail(run);
    if (source) {
      const image = make("img", { loading: "lazy", decoding: "async", alt: `Run ${run.index}` });
      image.addEventListener("load", () => suit(image), { once: true });
      image.src = source;
      shot.append(image);
    } else {
      shot.classList.toggle("bad", Boolean(run.error));
      shot.append(make("p", { textContent: run.error ? `${run.state}: ${run.error}` : run.state }));
    }
    const pairs = head.axes.map((name, axis) => [name, run.values[axis]]);
    if (pairs.length === 0) pairs.push(["run", run.index]);
    const button = make("button", { type: "button", className: "card" }, shot, facts(make("dl"), pairs));
    button.addEventListener("click", () => view(at));
    return make("li", {}, button);
  }

  /** Set the aspect ratio of all cards to that of the first image that loads. */
  function suit(image) {
    if (grid.dataset.ratio || !image.naturalWidth) return;
    grid.dataset.ratio = Math.min(2, Math.max(0.5, image.naturalWidth / image.naturalHeight));
    document.documentElement.style.setProperty("--ratio", grid.dataset.ratio);
  }

  function more() {
    const end = Math.min(shown.length, drawn + BATCH);
    const cards = document.createDocumentFragment();
    for (; drawn < end; drawn++) cards.append(card(shown[drawn], drawn));
    grid.append(cards);
    // An observer does not report an element again while it stays in view.
    watcher.disconnect();
    if (drawn < shown.length) watcher.observe(grid.lastElementChild);
  }

  const watcher = new IntersectionObserver((entries) => { if (entries.some((one) => one.isIntersecting)) more(); }, { rootMargin: "1500px" });

  // ---------------------------------------------------------------- one run in full size

  function view(at) {
    if (at < 0 || at >= shown.length) return;
    current = at;
    const run = shown[at];
    const source = picture(run) ?? thumbnail(run);
    byId("which").textContent = `Run ${run.index} (${at + 1} of ${shown.length})`;
    const stage = byId("stage");
    stage.classList.remove("real");
    stage.replaceChildren();
    if (source) {
      const image = make("img", { alt: `Run ${run.index}`, className: source === picture(run) ? "" : "small" });
      image.addEventListener("error", () => lost(image, run), { once: true });
      image.addEventListener("click", () => stage.classList.toggle("real"));
      image.src = source;
      stage.append(image);
    } else {
      stage.append(make("p", { textContent: run.error ?? run.state, className: run.error ? "error" : "" }));
    }
    byId("open").hidden = !run.picture;
    if (run.picture) byId("open").href = run.picture;
    byId("before").disabled = at === 0;
    byId("after").disabled = at === shown.length - 1;
    const pairs = head.axes.map((name, axis) => [name, run.values[axis]]);
    pairs.push(...Object.entries(run.others ?? {}), ["status", run.state, run.error ? "error" : ""]);
    if (run.error) pairs.push(["error", run.error, "error"]);
    if (typeof run.seconds === "number") pairs.push(["time", duration(run.seconds)]);
    byId("values").replaceChildren();
    facts(byId("values"), pairs);
    byId("values").parentElement.scrollTop = 0;
    if (!viewer.open) viewer.showModal();
  }

  /** Show the thumbnail if the image file is missing. */
  function lost(image, run) {
    if (run.thumbnail) {
      image.className = "small";
      image.src = thumbnail(run);
    } else {
      image.replaceWith(make("p", { textContent: "The image file is missing. Keep the folder of images next to this page." }));
    }
  }

  function back() {
    while (drawn <= current) more();
    const button = grid.children[current]?.firstElementChild;
    button?.scrollIntoView({ block: "nearest" });
    button?.focus();
  }

  viewer.addEventListener("close", back);
  document.addEventListener("keydown", (event) => {
    if (!viewer.open || event.altKey || event.ctrlKey || event.metaKey) return;
    const target = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: shown.length - 1 }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    view(target);
  });
  byId("before").addEventListener("click", () => view(current - 1));
  byId("after").addEventListener("click", () => view(current + 1));
  byId("close").addEventListener("click", () => viewer.close());
  let touched = null;
  byId("stage").addEventListener("touchstart", (event) => { touched = event.touches.length === 1 ? event.touches[0].clientX : null; }, { passive: true });
  byId("stage").addEventListener("touchend", (event) => {
    const moved = touched === null || byId("stage").classList.contains("real") ? 0 : event.changedTouches[0].clientX - touched;
    if (Math.abs(moved) > 50) view(current + (moved < 0 ? 1 : -1));
    touched = null;
  });

  // ---------------------------------------------------------------- setting up

  const menus = fields.filter((field) => field.counts.size > 1).map(filterMenu);
  byId("filters").replaceWith(...menus);
  const sorts = [["index", "sweep order"], ...fields.map((field, at) => [at, field.name])];
  if (runs.some((run) => typeof run.seconds === "number")) sorts.push(["seconds", "time"]);
  byId("sort").append(...sorts.map(([value, textContent]) => make("option", { value, textContent })));
  byId("sort").addEventListener("change", update);
  byId("search").addEventListener("input", update);
  byId("turn").addEventListener("click", () => {
    reversed = !reversed;
    byId("turn").textContent = reversed ? "↓" : "↑";
    byId("turn").setAttribute("aria-pressed", String(reversed));
    update();
  });
  byId("reset").addEventListener("click", () => {
    for (const field of fields) field.wanted.clear();
    byId("search").value = "";
    update();
  });
  const size = byId("size");
  size.value = parseInt(getComputedStyle(document.documentElement).getPropertyValue("--size"), 10);
  size.addEventListener("input", () => document.documentElement.style.setProperty("--size", `${size.value}px`));
  const fixed = Object.entries(head.inputs);
  byId("fixed").hidden = fixed.length === 0;
  facts(byId("fixed").querySelector("dl"), fixed);
  byId("bar").hidden = runs.length === 0;
  update();
})();
