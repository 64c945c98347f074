// What the widgets and the theme leave out for readers who hear the page or use keys: a slider says
// its name and its value, a wide table or formula can take the focus and be scrolled.
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
  const done = new WeakSet();
  function sliders() {
    document.querySelectorAll(".widget-slider").forEach((slider) => {
      if (done.has(slider) || !slider.querySelector("[role=slider]")) return;
      done.add(slider);
      speak(slider);
    });
  }
  function scrollers() {
    document.querySelectorAll(".pst-scrollable-table-container, .bd-article table, .cell_output pre, div.math, mjx-container[display=true]").forEach((part) => {
      const wide = part.scrollWidth > part.clientWidth + 1;
      part.classList.toggle("scrolls", wide);
      if (wide) part.tabIndex = 0;
    });
  }
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(sliders).observe(document.body, { subtree: true, childList: true });
    sliders();
    scrollers();
  });
  window.addEventListener("load", scrollers);
  window.addEventListener("resize", scrollers);
  // Print shows what is folded away, and folds it again afterwards.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".bd-article details:not([open])")];
    opened.forEach((part) => { part.open = true; });
  });
  window.addEventListener("afterprint", () => opened.forEach((part) => { part.open = false; }));
})();
