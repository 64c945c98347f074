// What the widgets and the theme leave out for readers who hear the page, use keys or a finger, or print
// it: a slider says its name and its value, a wide table or formula can take the focus and be scrolled, a
// figure opens large, a picture over time unfolds, and paper shows what a screen folds away.
(function () {
  function speak(slider) {
    const handle = slider.querySelector("[role=slider]");
    const label = slider.querySelector(".widget-label");
    const readout = slider.querySelector(".widget-readout");
    if (!handle || !label || !readout) return;
    const say = () => {
      if (handle.getAttribute("aria-label") !== label.textContent) handle.setAttribute("aria-label", label.textContent);
      // The slider writes its own number into aria-valuetext: the place in the list, not the value.
      if (handle.getAttribute("aria-valuetext") !== readout.textContent) handle.setAttribute("aria-valuetext", readout.textContent);
    };
    readout.removeAttribute("contenteditable");
    new MutationObserver(say).observe(slider, {
      subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ["aria-valuetext"],
    });
    say();
  }
  // A widget with one slider runs through its values; it waits to be pressed, for readers who want no motion.
  function runs(slider) {
    if (slider.parentElement.querySelectorAll(".widget-slider").length !== 1) return;
    const handle = slider.querySelector("[role=slider]");
    const button = Object.assign(document.createElement("button"), { type: "button", className: "runs" });
    let timer = 0;
    const press = (key) => handle.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    const at = (end) => handle.getAttribute("aria-valuenow") === handle.getAttribute(`aria-value${end}`);
    const name = () => {
      button.textContent = timer ? "⏸" : "▶";
      button.setAttribute("aria-label", timer ? "Stop" : "Run through the values");
    };
    const stop = () => { clearInterval(timer); timer = 0; name(); };
    button.addEventListener("click", () => {
      if (timer) return stop();
      if (at("max")) press("Home");
      timer = setInterval(() => { press("ArrowRight"); if (at("max")) stop(); }, 900);
      name();
    });
    name();
    slider.before(button);
  }
  // The titles of a switch's three icons, drawn some time after the page is there, are no part of its name.
  function icons() {
    document.querySelectorAll(".theme-switch[title], .theme-switch:has(title)").forEach((icon) => {
      icon.setAttribute("aria-hidden", "true");
      icon.removeAttribute("title");
      icon.querySelector("title")?.remove();
    });
  }
  const done = new WeakSet();
  function sliders() {
    document.querySelectorAll(".widget-slider").forEach((slider) => {
      if (done.has(slider) || !slider.querySelector("[role=slider]")) return;
      done.add(slider);
      speak(slider);
      runs(slider);
    });
  }
  const WIDE = ".pst-scrollable-table-container, .bd-article table, .cell_output pre, div.math, mjx-container[display=true]";
  function scrollable(part) {
    const wide = part.scrollWidth > part.clientWidth + 1;
    part.classList.toggle("scrolls", wide);
    if (wide) part.tabIndex = 0;
  }
  const sized = new ResizeObserver((changes) => changes.forEach((change) => scrollable(change.target)));
  function scrollers() {
    document.querySelectorAll(WIDE).forEach((part) => { scrollable(part); sized.observe(part); });
  }
  // What a cell printed: a sentence breaks where its place ends, a row of a table does not.
  function sentences() {
    document.querySelectorAll(".cell_output .output:is(.stream, .text_plain) pre").forEach((pre) => {
      const lines = pre.textContent.replace(/\n$/, "").split("\n");
      const long = (line) => /^ {0,8}\S.{30}/.test(line) && !/\S {2,}\S/.test(line);
      if (pre.querySelector("[class]") || !lines.some(long)) return;
      pre.replaceChildren(...lines.flatMap((line, n) => [n ? "\n" : "",
        long(line) ? Object.assign(document.createElement("span"), { className: "sentence", textContent: line }) : line]));
    });
  }
  document.addEventListener("DOMContentLoaded", () => {
    sentences();
    const late = () => { sliders(); icons(); };
    new MutationObserver(late).observe(document.body, { subtree: true, childList: true });
    late();
    scrollers();
  });
  window.addEventListener("load", scrollers); // equations are there now
  // Roles and names that the theme and its lists of references leave wrong or out.
  function names() {
    document.querySelectorAll(".citation-list, .citation-list [role]").forEach((part) => part.removeAttribute("role"));
    document.querySelectorAll(".bd-links details > summary").forEach((part) => {
      const link = part.closest("li")?.querySelector("a");
      if (link) part.setAttribute("aria-label", `Pages under ${link.textContent.trim()}`);
    });
    // What is written on a button or a fold is its name.
    document.querySelectorAll(".search-button-field, summary[aria-label='Toggle hidden content']")
      .forEach((part) => part.removeAttribute("aria-label"));
    const side = document.querySelector(".sidebar-primary-items__start");
    side?.setAttribute("role", "navigation");
    side?.setAttribute("aria-label", "Book");
  }
  document.addEventListener("DOMContentLoaded", names);
  // Library pages: a long name breaks behind its dots, and the list beside the page has the last part alone.
  function library() {
    if (!window.location.pathname.includes("/api/")) return;
    document.querySelectorAll(".bd-sidebar-secondary a").forEach((link) => {
      link.textContent = link.textContent.replace(/^landcarbon\.\w+\./, "");
    });
    document.querySelectorAll(".bd-article h2, .sig-prename .pre").forEach((name) => {
      const [text] = [...name.childNodes].filter((part) => part.nodeType === Node.TEXT_NODE && part.data.includes("."));
      text?.replaceWith(...text.data.match(/[^.]*\.|[^.]+/g).flatMap((part) => [part, document.createElement("wbr")]));
    });
  }
  document.addEventListener("DOMContentLoaded", library);
  // A figure opens as large as the window; Escape, the button or another tap closes it.
  function large(picture, opener) {
    const box = document.createElement("dialog");
    box.className = "figure-large";
    box.setAttribute("aria-label", "Figure");
    const close = Object.assign(document.createElement("button"), { type: "button", textContent: "Close" });
    const copy = Object.assign(document.createElement("img"), { src: picture.src, alt: picture.alt });
    box.append(close, copy);
    box.addEventListener("click", () => box.close());
    box.addEventListener("close", () => { box.remove(); opener.focus({ preventScroll: true }); });
    document.body.append(box);
    box.showModal();
  }
  document.addEventListener("DOMContentLoaded", () => {
    let told = !window.matchMedia("(hover: none) and (pointer: coarse)").matches; // a mouse shows it by its shape
    document.querySelectorAll(".cell_output img, .bd-article figure img").forEach((picture) => {
      if (picture.closest(".jupyter-widgets")) return;
      if (!told && (picture.checkVisibility?.() ?? true)) {
        picture.closest(".cell_output, figure").after(Object.assign(document.createElement("p"),
          { className: "tap-told", textContent: "Tap a figure to see it large." }));
        told = true;
      }
      const link = picture.closest("a.image-reference"); // takes the focus and the keys already
      picture.classList.add("opens");
      if (!link) {
        picture.tabIndex = 0;
        picture.setAttribute("role", "button");
        picture.addEventListener("keydown", (event) => {
          if (event.key === "Enter") large(picture, picture);
        });
      }
      (link || picture).addEventListener("click", (event) => {
        event.preventDefault();
        large(picture, link || picture);
      });
    });
  });
  function moving() {
    document.querySelectorAll(".tag_moving .cell_output img").forEach((picture) => {
      const [motion] = picture.getAnimations(); // none for readers who want no motion
      if (!motion) return;
      const button = Object.assign(document.createElement("button"), { type: "button", className: "runs", textContent: "▶ Play again" });
      button.addEventListener("click", () => { motion.currentTime = 0; motion.play(); });
      picture.closest(".cell_output").after(button);
      motion.pause();
      new IntersectionObserver(([place], watch) => {
        if (!place.isIntersecting) return;
        motion.play();
        watch.disconnect();
      }, { threshold: 0.5 }).observe(picture.closest(".cell_output"));
    });
  }
  document.addEventListener("DOMContentLoaded", moving);
  // Paper has the starting state of a widget, and under it what it shows.
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll('.cell_output script[type$="widget-view+json"]').forEach((widget) => {
      const picture = widget.closest(".cell_output").querySelector("img[alt]");
      if (picture) widget.before(Object.assign(document.createElement("p"), { className: "still", textContent: picture.alt }));
    });
  });
  // Long names in narrow columns of paper break at their dots.
  function breaks(cell) {
    const texts = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), long = [];
    while (texts.nextNode()) if (/\S{22}/.test(texts.currentNode.data)) long.push(texts.currentNode);
    for (const text of long) {
      text.replaceWith(...text.data.replace(/[^\s\d][._\/:=](?=\w)/g, "$&\n").split("\n").flatMap((part, n) => n ? [document.createElement("wbr"), part] : part));
    }
  }
  // Print shows what is folded away, in light colours and no formula wider than the paper; then all is as it was.
  let undo = [];
  window.addEventListener("beforeprint", () => {
    if (undo.length) return; // some browsers say it twice
    const root = document.documentElement.dataset, theme = root.theme;
    const closed = [...document.querySelectorAll(".bd-article details:not([open])")];
    undo = [() => { root.theme = theme; }, ...closed.map((part) => () => { part.open = false; })];
    root.theme = "light";
    closed.forEach((part) => { part.open = true; });
    document.querySelectorAll(".bd-article td").forEach(breaks);
    const formulas = [...document.querySelectorAll("mjx-container[display=true]")];
    const widths = formulas.map((part) => parseFloat(part.style.minWidth)
      || (part.querySelector("mjx-math")?.offsetWidth ?? 0) / parseFloat(getComputedStyle(part).fontSize));
    formulas.forEach((part, index) => {
      part.style.setProperty("--wide", widths[index]);
      part.style.setProperty("--size", part.style.fontSize || "1em");
    });
  });
  window.addEventListener("afterprint", () => { undo.forEach((back) => back()); undo = []; });
})();
