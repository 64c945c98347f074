// A word of the glossary, where a chapter first uses it, shows its meaning when it is pointed at or has
// the focus, and leads to its entry. The words are in glossary.js, which the build writes.
document.addEventListener("DOMContentLoaded", () => {
  if (!window.glossary || !/\/book\/module\d\/\d\d_/.test(window.location.pathname)) return;
  const [page, entries] = window.glossary;
  const root = document.documentElement.dataset.content_root;
  const left = new Map(entries.filter(([name]) => /^[a-z][\w -]{2,}$/i.test(name)).map((entry) => [entry[0].toLowerCase(), entry]));
  const names = [...left.keys()].sort((a, b) => b.length - a.length).map((name) => name.replace(/[-]/g, "\\-"));
  const pattern = new RegExp(`(?<![\\w-])(${names.join("|")})(?:s?)(?![\\w-])`, "i");
  const texts = document.createTreeWalker(document.querySelector("article.bd-article"), NodeFilter.SHOW_TEXT, (node) =>
    node.parentElement.closest("p, li") && !node.parentElement.closest("a, code, pre, .math, mjx-container, .quiz, .cell, .lite-here, .done-box, .admonition-title")
      ? NodeFilter.FILTER_ACCEPT : NodeFilter.FILTER_REJECT);
  const todo = [];
  while (texts.nextNode()) todo.push(texts.currentNode);
  for (let node of todo) {
    for (let found; (found = pattern.exec(node.data));) {
      const word = node.splitText(found.index);
      node = word.splitText(found[0].length);
      const name = found[1].toLowerCase(), entry = left.get(name);
      if (!entry) continue;
      left.delete(name);
      const link = window.kept.element("a", { className: "term", href: `${root}${page}.html#${entry[1]}`, textContent: word.data });
      link.append(window.kept.element("span", { className: "term-text", textContent: entry[2] }));
      link.lastChild.setAttribute("role", "tooltip");
      link.lastChild.id = `term-${left.size}`;
      link.setAttribute("aria-describedby", link.lastChild.id);
      word.replaceWith(link);
      // A finger cannot point: the first tap tells the meaning, the second follows the link.
      link.addEventListener("click", (event) => {
        if (!window.matchMedia("(hover: none) and (pointer: coarse)").matches || link.classList.contains("told")) return;
        event.preventDefault();
        link.classList.add("told");
      });
    }
  }
  document.addEventListener("click", (event) => document.querySelectorAll("a.term.told").forEach((link) => {
    if (!link.contains(event.target)) link.classList.remove("told");
  }));
});
