// Any page as slides: the title is the first, each section of level 2 one or more. A button in the
// header starts, or `?slides` in the address; arrows and Page Up/Down turn, Escape leaves.
document.addEventListener("DOMContentLoaded", () => {
  const page = document.querySelector("article.bd-article > section");
  const header = document.querySelector(".article-header-buttons");
  const sections = page ? [...page.children].filter((part) => part.matches("section")) : [];
  if (!header || sections.length < 2 || page.querySelector("dl.py")) return; // a library page is to be looked up
  const article = page.parentElement;
  const parts = [...page.children].filter((part) => !part.matches("section"));
  let slides, nodes, at;

  const { element } = window.kept;
  const button = (text, label, does) => {
    const made = element("button", { type: "button", className: "btn btn-sm", textContent: text, title: label });
    made.setAttribute("aria-label", label);
    made.addEventListener("click", does);
    return made;
  };
  const begin = button("Slides", "Show this page as slides", () => enter(first()));
  begin.classList.add("slide-begin");
  header.prepend(begin);

  const place = element("span", {});
  place.setAttribute("aria-live", "polite");
  const bar = element("nav", { className: "slide-bar", hidden: true },
    button("←", "Previous slide", () => show(at - 1)),
    place,
    button("→", "Next slide", () => show(at + 1)),
    button("✕", "Leave the slides", () => leave()));
  bar.setAttribute("aria-label", "Slides");
  document.body.append(bar);

  // A page is broken into blocks, each on one slide; what heads blocks is on every slide that has one of them.
  const HEADS = "h2, h3, h4, h5, h6, thead, caption, colgroup, .admonition-title, dl.py > dt";
  const WHOLE = "p, li, tr, dt, details, figure, img, div.math, .cell_output:has(> .widget-subarea), .quiz-question, .slide-line";
  const SMALLEST = 0.6;
  const box = (part) => part.getBoundingClientRect();
  // A window has at least 1280 × 720 units, however many pixels it has.
  const unit = () => Math.max(0.6, Math.min(window.innerWidth / 1280, window.innerHeight / 720));
  const room = () => window.innerHeight - bar.offsetHeight - 24 * unit();

  function blocks(part) {
    const small = box(part).height < room() / 2 && !part.matches("section");
    if (small || part.matches(WHOLE)) return [part];
    if (part.matches("pre")) lines(part);
    if (part.matches("ol")) [...part.children].forEach((item, n) => { item.value = part.start + n; });
    const inside = [...part.children].filter((child) => box(child).height && !child.matches(HEADS));
    const stacked = inside.every((child, n) => !n || box(child).top > box(inside[n - 1]).bottom - 9);
    return stacked && inside.length ? inside.flatMap(blocks) : [part];
  }
  // A listing may be broken between any two lines.
  function lines(pre) {
    if (pre.querySelector(".slide-line")) return;
    const all = [[]];
    for (const node of pre.childNodes) {
      for (const piece of node instanceof Text ? node.data.match(/[^\n]*\n|[^\n]+/g) ?? [] : [node]) {
        all.at(-1).push(piece);
        if ((piece.textContent ?? piece).endsWith("\n")) all.push([]);
      }
    }
    pre.replaceChildren(...all.map((pieces) => element("span", { className: "slide-line" }, ...pieces)));
  }
  // The headings that stand above a block when it is the first of its slide.
  function above(block) {
    let height = 0;
    for (let part = block.parentElement; part !== page; part = part.parentElement) {
      for (const head of [...part.children].filter((child) => child.matches(HEADS))) {
        height += box(head.nextElementSibling || head).top - box(head).top;
      }
    }
    return height;
  }
  // What a break between two blocks costs, counted in slides.
  function apart(a, b) {
    let common = a.parentElement;
    while (!common.contains(b)) common = common.parentElement;
    if (common.matches("pre")) return !a.textContent.trim() && b.textContent.trim() ? 0.5 : 1.5;
    const inside = common.matches("section, .quiz") ? 0 : 0.7;
    if (a.matches("dt") || /:\s*$/.test(a.textContent)) return inside + 1;
    return inside + (a.matches("p") && !b.matches("p") ? 0.2 : 0);
  }
  // The cheapest way to break a section: few slides, evenly full, and none that must be made much smaller.
  function broken(group) {
    const all = group.flatMap(blocks).filter((block) => box(block).height);
    const edges = all.map((block) => ({ top: box(block).top - above(block), bottom: box(block).bottom }));
    const best = [{ cost: 0 }];
    for (let end = 1; end <= all.length; end += 1) {
      for (let start = end - 1; start >= 0; start -= 1) {
        const full = (edges[end - 1].bottom - edges[start].top) / room();
        if (full > 2 && start < end - 1) break;
        const strain = full > 1 ? (4 * (full - 1)) ** 2 : (1 - full) ** 2 / 4;
        const cost = best[start].cost + 1 + strain + (start ? apart(all[start - 1], all[start]) : 0);
        if (!(cost >= best[end]?.cost)) best[end] = { cost, start };
      }
    }
    const found = [];
    for (let end = all.length; end; end = best[end].start) found.unshift(all.slice(best[end].start, end));
    return found.map((shown, n) => ({
      shown,
      top: n ? shown[0] : group[0],
      heading: group[0].querySelector("h2"),
      part: found.length > 1 ? ` (${n + 1} of ${found.length})` : "",
    }));
  }
  // A formula or a table wider than the slide is made smaller by itself.
  const wide = () => [...page.querySelectorAll("mjx-container[display], .pst-scrollable-table-container")];
  const plain = () => {
    for (const name of ["slide-away", "slide-tall"]) {
      page.querySelectorAll(`.${name}`).forEach((part) => part.classList.remove(name));
    }
    [article, ...wide()].forEach((part) => { part.style.zoom = ""; });
  };
  function lay(part) {
    plain();
    article.style.zoom = unit();
    for (const broad of wide().filter((item) => item.scrollWidth > item.clientWidth)) {
      broad.style.zoom = broad.clientWidth / broad.scrollWidth;
    }
    slides = [parts, ...sections.map((section) => [section])].flatMap(broken);
    nodes = new Set();
    for (let node of slides.flatMap(({ shown }) => shown)) {
      for (; node !== page; node = node.parentElement) nodes.add(node);
    }
    const has = (block) => part && (block.contains(part) || part.contains(block));
    show(slides.findIndex(({ shown }) => shown.some(has)));
  }

  // What is still too tall is made smaller; at the smallest, the tallest block scrolls in its own box.
  function fit() {
    if (bar.hidden) return;
    page.querySelectorAll(".slide-tall").forEach((part) => part.classList.remove("slide-tall"));
    let zoom = 1;
    const over = () => {
      article.style.zoom = zoom * unit();
      return box(article).height - room();
    };
    while (over() > 0 && zoom > SMALLEST) zoom -= 0.05;
    if (over() <= 0) return;
    const open = [...page.querySelectorAll("details[open]")].filter((part) => part.checkVisibility?.() ?? true);
    const tallest = (open.length ? open : slides[at].shown).reduce((a, b) => (box(a).height < box(b).height ? b : a));
    tallest.style.setProperty("--slide-height", `${(box(tallest).height - over()) / (zoom * unit())}px`);
    tallest.classList.add("slide-tall");
  }
  function show(number) {
    at = Math.min(Math.max(number, 0), slides.length - 1);
    const { shown, heading, part } = slides[at];
    nodes.forEach((node) => node.classList.toggle("slide-away", !shown.some((block) => node.contains(block))));
    if (heading) heading.dataset.part = part;
    place.textContent = `${at + 1} of ${slides.length}`;
    window.scrollTo(0, 0);
    window.dispatchEvent(new Event("resize"));
    fit();
  }
  // Begin with what stands at the top of the window.
  const first = () => window.scrollY > 0 && [...page.querySelectorAll(`section > :not(section, ${HEADS})`)]
    .find((part) => box(part).bottom > 100);
  function enter(part) {
    document.body.classList.add("slides");
    bar.hidden = false;
    lay(part);
  }
  function leave() {
    document.body.classList.remove("slides");
    bar.hidden = true;
    plain();
    slides[at].top.scrollIntoView({ behavior: "instant" });
    begin.focus({ preventScroll: true });
  }

  // Pictures, widgets and formulas come late, and windows change: lay again. A block that grows is fitted.
  let timer;
  const again = () => {
    clearTimeout(timer);
    timer = setTimeout(() => bar.hidden || lay(slides[at].shown[0]), 100);
  };
  page.addEventListener("load", (event) => event.target.closest(".live") || again(), true);
  new MutationObserver((changes) => {
    const added = changes.flatMap(({ addedNodes }) => [...addedNodes]);
    if (added.some((node) => node.matches?.(".jupyter-widgets, mjx-container"))) again();
  }).observe(page, { childList: true, subtree: true });
  window.addEventListener("resize", (event) => event.isTrusted && again());
  new ResizeObserver(fit).observe(article);

  document.addEventListener("keydown", (event) => {
    // A figure opened large closes by its own keys.
    if (bar.hidden || document.querySelector("dialog[open]")) return;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    // A slider, a menu or a field that has the focus keeps its keys.
    if (event.target.closest("input, select, textarea, [role=slider], [contenteditable]")) return;
    const turn = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (event.key === "Escape") leave();
    else if (turn) show(at + turn);
    else return;
    event.preventDefault();
  });
  if (new URLSearchParams(window.location.search).has("slides")) {
    enter(document.getElementById(window.location.hash.slice(1)));
  }
});
