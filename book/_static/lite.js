// "Run in browser" on every chapter: its exercises, and the chapter itself, in JupyterLite beside the
// pages (`python course.py lite`). Addresses are relative. Where the site has no JupyterLite, or the
// page was opened as a file, the menu says what to do instead.
document.addEventListener("DOMContentLoaded", () => {
  const chapter = window.location.pathname.match(/\/(book\/module\d\/(\d\d)_\w+)\.html$/);
  const header = document.querySelector(".article-header-buttons");
  if (!chapter || !header) return;
  const lite = document.documentElement.dataset.content_root + "lite/";
  const name = chapter[1].split("/").pop();
  // A phone has no room for JupyterLab with its list of files: the notebook alone.
  const app = window.matchMedia("(max-width: 760px)").matches ? "notebooks" : "lab";
  const lab = (path) => `${lite}${app}/index.html?path=${path}.ipynb`;
  const tab = { target: "landcarbon-lite" }; // one tab for all of them, the page stays
  const link = (text, href, more = {}) => Object.assign(document.createElement("a"), { textContent: text, href, ...more });

  const menu = document.createElement("details");
  menu.className = "lite-menu";
  const summary = document.createElement("summary");
  summary.className = "btn btn-sm";
  summary.textContent = "Run in browser";
  const list = document.createElement("div");
  list.className = "lite-list";
  list.append(
    link("Exercises", lab(`exercises/${name}`), tab),
    link("This chapter", lab(chapter[1]), tab),
    link("Worked solutions", lab(`solutions/${name}`), tab),
    link("Download the exercises", `${lite}files/exercises/${name}.ipynb`, { download: `${name}.ipynb` }),
  );
  const note = document.createElement("p");
  note.textContent = "A new tab opens and Python runs in it; nothing is installed, your answers stay in this browser. "
    + "The first time it loads 40 to 70 MB, by chapter; give it half a minute or more.";
  list.append(note);
  menu.append(summary, list);
  header.prepend(menu);

  const heading = document.querySelector("section#exercises > h2");
  if (heading) {
    const here = document.createElement("p");
    here.className = "lite-here";
    here.append(link(`Open the exercises of chapter ${chapter[2]} in a new tab`, lab(`exercises/${name}`), tab));
    heading.after(here);
  }

  function absent() {
    const how = document.createElement("p");
    how.append(
      "Python in the browser needs a server. In the course folder run ",
      Object.assign(document.createElement("code"), { textContent: "python course.py lite" }), " once, then ",
      Object.assign(document.createElement("code"), { textContent: "python course.py serve" }),
      `. Or open exercises/${name}.ipynb with `,
      Object.assign(document.createElement("code"), { textContent: "python course.py lab" }), ".",
    );
    list.replaceChildren(how);
    document.querySelector(".lite-here")?.replaceChildren(
      `The exercises: exercises/${name}.ipynb in the course folder; “Run in browser” above says how to open them.`);
  }
  window.kept.lite().then((there) => there || absent());
  document.addEventListener("click", (event) => { if (!menu.contains(event.target)) menu.open = false; });
  menu.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    menu.open = false;
    summary.focus();
  });
});
