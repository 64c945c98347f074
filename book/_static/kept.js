// What quizzes and progress share: a place in the reader's own browser, and elements in one line.
window.kept = {
  stored(name) {
    try { return JSON.parse(localStorage.getItem(name)) || {}; } catch { return {}; }
  },
  store(name, value) {
    try { localStorage.setItem(name, JSON.stringify(value)); } catch { /* private window: not kept */ }
  },
  element(tag, attributes, ...children) {
    const made = Object.assign(document.createElement(tag), attributes);
    made.append(...children);
    return made;
  },
  // Whether the course for a browser stands beside the pages; a page opened as a file reaches nothing.
  lite() {
    this.asked ??= window.location.protocol === "file:"
      ? Promise.resolve(false)
      : fetch(`${document.documentElement.dataset.content_root}lite/jupyter-lite.json`, { method: "HEAD" })
        .then((answer) => answer.ok, () => false);
    return this.asked;
  },
};
