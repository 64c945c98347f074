// Any page as slides: the title is the first, each section of level 2 one more. A button in the
// header starts, or `?slides` in the address; arrows and Page Up/Down turn, Escape leaves.
document.addEventListener("DOMContentLoaded", () => {
  const page = document.querySelector("article.bd-article > section");
  const header = document.querySelector(".article-header-buttons");
  const sections = page ? [...page.children].filter((part) => part.matches("section")) : [];
  if (!header || sections.length < 2) return;
  const parts = [...page.children].filter((part) => !part.matches("section"));
  const slides = [parts, ...sections.map((section) => [section])];
  let at = 0;

  const button = (text, label, does) => {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "btn btn-sm";
    made.textContent = text;
    made.setAttribute("aria-label", label);
    made.title = label;
    made.addEventListener("click", does);
    return made;
  };
  const begin = button("Slides", "Show this page as slides", () => enter());
  begin.classList.add("slide-begin");
  header.prepend(begin);

  const bar = document.createElement("nav");
  bar.className = "slide-bar";
  bar.setAttribute("aria-label", "Slides");
  bar.hidden = true;
  const place = document.createElement("span");
  place.setAttribute("aria-live", "polite");
  bar.append(
    button("←", "Previous slide", () => show(at - 1)),
    place,
    button("→", "Next slide", () => show(at + 1)),
    button("✕", "Leave the slides", () => leave()),
  );
  document.body.append(bar);

  // A slide taller than the window is made smaller, down to six tenths; what is taller still scrolls.
  const article = page.closest("article.bd-article");
  function fit() {
    article.style.zoom = 1;
    if (bar.hidden) return;
    const room = window.innerHeight - bar.offsetHeight - 32;
    const zoom = room / (article.getBoundingClientRect().height || room);
    article.style.zoom = Math.min(1, Math.max(0.6, zoom));
  }
  function show(number) {
    at = Math.min(Math.max(number, 0), slides.length - 1);
    slides.forEach((slide, n) => slide.forEach((part) => part.classList.toggle("slide-away", n !== at)));
    place.textContent = `${at + 1} of ${slides.length}`;
    window.scrollTo(0, 0);
    window.dispatchEvent(new Event("resize"));
    fit();
  }
  function enter() {
    document.body.classList.add("slides");
    bar.hidden = false;
    const here = sections.findIndex((section) => `#${section.id}` === window.location.hash);
    show(here + 1);
  }
  function leave() {
    document.body.classList.remove("slides");
    bar.hidden = true;
    slides.flat().forEach((part) => part.classList.remove("slide-away"));
    fit();
    (slides[at][0] || page).scrollIntoView();
    begin.focus({ preventScroll: true });
  }

  document.addEventListener("keydown", (event) => {
    if (bar.hidden || event.altKey || event.ctrlKey || event.metaKey) return;
    // A slider, a menu or a field that has the focus keeps its keys.
    if (event.target.closest("input, select, textarea, [role=slider], [contenteditable]")) return;
    const turn = { ArrowRight: 1, PageDown: 1, ArrowLeft: -1, PageUp: -1 }[event.key];
    if (event.key === "Escape") leave();
    else if (turn) show(at + turn);
    else return;
    event.preventDefault();
  });
  if (new URLSearchParams(window.location.search).has("slides")) enter();
});
