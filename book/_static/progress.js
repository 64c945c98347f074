// What a reader has done, kept in the reader's own browser and sent nowhere: chapters ticked off, first
// tries of the quizzes, the last place read, and the notebooks answered in JupyterLite beside the pages.
// The page "My progress" shows it, saves it as one file, and reads such a file again.
(function () {
  const PLACE = "landcarbon.place", DONE = "landcarbon.done";
  const { stored, store, element } = window.kept;
  const root = () => document.documentElement.dataset.content_root || "./";
  const chapterOf = (address) => (address.match(/(book\/module\d\/(\d\d)_\w+\.html)/) || []).slice(1);

  // On a chapter: remember the place, offer a tick at its end.
  function chapter(path, number) {
    const title = document.querySelector("h1")?.firstChild.textContent.trim() || number;
    const sections = [...document.querySelectorAll("article.bd-article section[id]")];
    const remember = () => {
      const here = sections.filter((part) => part.getBoundingClientRect().top < 120).pop();
      store(PLACE, { path, title, hash: here ? `#${here.id}` : "" });
    };
    remember();
    document.addEventListener("scrollend", remember);
    window.addEventListener("pagehide", remember); // for browsers without the event above
    const box = element("input", { type: "checkbox", checked: number in stored(DONE) });
    box.addEventListener("change", () => {
      const done = stored(DONE);
      if (box.checked) done[number] = new Date().toISOString().slice(0, 10); else delete done[number];
      store(DONE, done);
      ticks();
    });
    const last = document.querySelector("article.bd-article > section");
    last?.append(element("p", { className: "done-box" }, element("label", {}, box, ` I have done chapter ${number}`),
      " · ", element("a", { href: `${root()}book/appendix/progress.html`, textContent: "My progress" })));
  }

  // In the list of chapters: a mark on those that are done.
  function ticks() {
    const done = stored(DONE);
    document.querySelectorAll(".bd-sidebar-primary nav a.reference").forEach((link) => {
      const number = chapterOf(link.href)[1];
      link.querySelector(".done-mark")?.remove();
      if (number in done) link.append(element("span", { className: "done-mark", textContent: " ✔", title: "done" }));
    });
  }

  // Notebooks that JupyterLite keeps in this browser.
  async function notebooks(mode, work, make = false) {
    const name = `JupyterLite Storage - ${new URL(`${root()}lite/`, window.location.href).pathname}`;
    const all = await indexedDB.databases?.();
    if (!make && all && !all.some((base) => base.name === name)) return undefined;
    return new Promise((resolve, reject) => {
      const asked = indexedDB.open(name);
      asked.onerror = () => reject(asked.error);
      // Where JupyterLite was never opened its place is made for an upload; it adds what else it needs.
      asked.onupgradeneeded = () => (make ? asked.result.createObjectStore("files") : asked.transaction.abort());
      asked.onsuccess = () => {
        const base = asked.result;
        const end = (value) => { base.close(); resolve(value); };
        base.onversionchange = () => base.close(); // JupyterLite need not wait for this page
        if (!base.objectStoreNames.contains("files")) { end(undefined); return; }
        const files = base.transaction("files", mode).objectStore("files");
        files.transaction.onabort = () => { base.close(); reject(files.transaction.error); };
        work(files, end);
      };
    });
  }
  const kept = () => notebooks("readonly", (files, end) => {
    const all = files.getAll();
    all.onsuccess = () => end(Object.fromEntries(all.result.filter((f) => f.type === "notebook" && f.content)
      .map((f) => [f.path, f])));
  });
  // How many stayed because those of this browser, as they are now, are newer.
  const put = (models) => notebooks("readwrite", (files, end) => {
    let stayed = 0;
    Object.entries(models).forEach(([path, model]) => {
      const here = files.get(path);
      here.onsuccess = () => {
        if (here.result?.last_modified > model.last_modified) stayed += 1;
        else files.put(model, path);
      };
    });
    files.transaction.oncomplete = () => end(stayed);
  }, true);

  // What the checks said in a notebook: the last word on each exercise.
  function checked(content) {
    const said = {};
    for (const cell of content.cells || []) {
      for (const output of cell.outputs || []) {
        for (const line of [].concat(output.text || "").join("").split("\n")) {
          const found = line.match(/^(✔|✘|…) (\d\d\.\d+)/);
          if (found) said[found[2]] = found[1];
        }
      }
    }
    return said;
  }

  async function page(place) {
    const done = stored(DONE), last = stored(PLACE);
    const models = await kept().catch(() => undefined);
    const exercises = {};
    for (const [path, model] of Object.entries(models || {})) {
      if (path.startsWith("exercises/")) Object.assign(exercises, checked(model.content));
    }
    const rows = [...document.querySelectorAll(".bd-sidebar-primary nav a.reference")]
      .map((link) => [link, ...chapterOf(link.href)]).filter((row) => row[2]);
    const body = rows.map(([link, path, number]) => {
      const score = stored(`landcarbon.score.${number}`);
      const begun = Object.keys(stored(`landcarbon.quiz.${number}`)).length;
      const solved = Object.entries(exercises).filter(([key]) => key.startsWith(`${number}.`)).sort()
        .map(([key, mark]) => `${key.split(".")[1]} ${mark}`).join("  ");
      return element("tr", {},
        element("td", {}, element("a", { href: root() + path, textContent: link.textContent.replace("✔", "").trim() })),
        element("td", { textContent: done[number] ? `✔ ${done[number]}` : "" }),
        element("td", { textContent: score.questions ? `${score.first} of ${score.questions}` : begun ? `${begun} answered` : "" }),
        element("td", { textContent: solved }),
        element("td", { textContent: (score.missed || []).join("; ") }));
    });
    const head = element("tr", {}, ...["Chapter", "Done", "Quiz, first try", "Exercises", "Look once more at"]
      .map((text) => element("th", { textContent: text, scope: "col" })));
    const save = element("button", { type: "button", textContent: "Download my work" });
    save.addEventListener("click", async () => {
      const models = await kept().catch(() => undefined); // as it is now, in another tab too
      const words = Object.fromEntries(Object.keys(localStorage).filter((k) => k.startsWith("landcarbon."))
        .map((k) => [k, localStorage.getItem(k)]));
      const content = { landcarbon: 1, words, models: models || {},
        notebooks: Object.fromEntries(Object.entries(models || {}).map(([path, m]) => [path, m.content])) };
      const link = element("a", { download: "my-land-carbon-work.json",
        href: URL.createObjectURL(new Blob([JSON.stringify(content)], { type: "application/json" })) });
      link.click();
      URL.revokeObjectURL(link.href);
    });
    const file = element("input", { type: "file", accept: ".json", id: "upload-work", className: "visually-hidden" });
    const told = element("p", {});
    told.setAttribute("role", "status");
    file.addEventListener("change", async () => {
      try {
        const content = JSON.parse(await file.files[0].text());
        if (content.landcarbon !== 1) throw new Error();
        for (const [name, value] of Object.entries(content.words || {})) {
          if (name === DONE) store(DONE, { ...JSON.parse(value), ...stored(DONE) });
          else if (name.startsWith("landcarbon.") && localStorage.getItem(name) === null) localStorage.setItem(name, value);
        }
        const brought = content.models || {};
        const stayed = Object.keys(brought).length ? await put(brought).catch(() => undefined) : 0;
        ticks();
        await page(place);
        place.querySelector("[role=status]").textContent = stayed !== undefined
          ? `Your work is here.${stayed ? " Notebooks that are newer in this browser stayed." : ""}`
          : "Ticks and scores are here. The notebooks could not be kept: open any exercise in the browser once, then upload again.";
      } catch { told.textContent = "This is no file from “Download my work”."; }
    });
    const totals = Object.values(exercises).filter((mark) => mark === "✔").length;
    const some = (count, what) => `${count} ${what}${count === 1 ? "" : "s"}`;
    place.replaceChildren(
      element("p", {}, `${Object.keys(done).length} of ${rows.length} chapters done, ${some(totals, "exercise")} solved in this browser. `,
        ...(last.path ? ["Last read: ", element("a", { href: root() + last.path + (last.hash || ""), textContent: last.title }), "."] : [])),
      element("p", { className: "progress-tools" }, save, " ", file,
        element("label", { htmlFor: "upload-work", textContent: "Upload my work" })),
      told,
      element("table", { className: "table" }, element("thead", {}, head), element("tbody", {}, ...body)));
  }

  document.addEventListener("DOMContentLoaded", () => {
    const [path, number] = chapterOf(window.location.pathname);
    if (path) chapter(path, number);
    ticks();
    const place = document.getElementById("progress-here");
    if (place) page(place);
    const last = stored(PLACE), start = document.getElementById("go-on");
    if (start && last.path) {
      start.replaceChildren("Go on where you were: ",
        element("a", { className: "begin", href: root() + last.path + (last.hash || ""), textContent: last.title }),
        " ", element("a", { href: `${root()}book/appendix/progress.html`, textContent: "My progress" }));
    }
  });
})();
