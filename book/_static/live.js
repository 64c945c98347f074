// "Run the model here" under the widgets of the first two modules: Python starts in the page (live-worker.js),
// the sliders stand on any value, the curves before stay in grey, and a guess can be locked before the model
// answers. Only where the course for a browser stands beside the pages; elsewhere the drawn states stay.
document.addEventListener("DOMContentLoaded", async () => {
  const LIVE = 13; // the last chapter whose figures take a second or less
  const chapter = window.location.pathname.match(/\/(book\/module\d\/(\d\d)_\w+)\.html$/);
  if (!chapter || Number(chapter[2]) > LIVE || !await window.kept.lite()) return;
  const { element } = window.kept;
  const root = document.documentElement.dataset.content_root;

  let worker, begun, number = 0;
  const steps = new Set(); // who wants to hear how far Python is
  const waiting = new Map();
  const ask = (call, given) => new Promise((resolve, reject) => {
    waiting.set(number, { resolve, reject });
    worker.postMessage({ id: number, call, given });
    number += 1;
  });
  function begin() {
    if (begun) return begun;
    worker = new Worker(`${root}_static/live-worker.js`, { type: "module" });
    worker.onmessage = ({ data: { id, value, error, step } }) => {
      if (step) { steps.forEach((hear) => hear(step)); return; }
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (error === undefined) resolve(value); else reject(new Error(error));
    };
    worker.onerror = (event) => waiting.forEach(({ reject }) => reject(new Error(event.message || "no worker")));
    begun = ask("begin", { lite: new URL(`${root}lite/`, window.location.href).href, notebook: `${chapter[1]}.ipynb` })
      .catch((error) => { worker.terminate(); begun = undefined; throw error; });
    return begun;
  }

  const cells = [...document.querySelectorAll(".bd-article .cell")]
    .filter((cell) => /^explore\(/m.test(cell.querySelector(".cell_input pre")?.textContent || ""));
  cells.forEach((cell, n) => {
    const place = cell.querySelector(".cell_output");
    const button = element("button", { type: "button", className: "live-begin", textContent: "Run the model here" });
    const told = element("p", { className: "live-told",
      textContent: "Any value in between, and a guess before the answer: Python starts in this page, nothing is installed. The first time it loads about 40 MB." });
    const bar = element("progress", { max: 4, value: 0, hidden: true, ariaLabel: "Python starts" });
    told.setAttribute("role", "status");
    place.append(element("div", { className: "live" }, button, bar, told));
    const step = (n, text) => { bar.value = n; told.textContent = text; };
    button.addEventListener("click", async () => {
      button.disabled = true;
      bar.hidden = false;
      step(0, "1 of 3: Python is on its way. The first time this takes half a minute or more …");
      const hear = (text) => step(1, `2 of 3: ${text} …`);
      steps.add(hear);
      try {
        await begin();
        step(2, "3 of 3: the model of this chapter is set up …");
        const box = await figure(n, await ask("figure", { number: n }), shown(place));
        place.classList.add("is-live");
        button.parentElement.replaceChildren(box);
        box.querySelector("input").focus({ preventScroll: true });
      } catch (error) {
        told.textContent = `That did not work here (${error.message}). The drawn states above stay.`;
        button.disabled = false;
        bar.hidden = true;
      } finally { steps.delete(hear); }
    });
  });

  // What the drawn sliders stand on: the model begins there.
  const shown = (place) => [...place.querySelectorAll(".widget-readout")].map((part) => part.textContent);

  // One figure: its sliders, its picture, and the place for a guess.
  async function figure(n, choices, before) {
    const picture = element("img", {});
    const mark = element("span", { className: "live-mark", hidden: true, textContent: "✕" });
    const frame = element("div", { className: "live-frame" }, picture, mark);
    const says = element("p", {});
    const verdict = element("p", { className: "live-verdict" });
    says.setAttribute("role", "status");
    verdict.setAttribute("role", "status");
    const ghost = element("p", { className: "live-ghost", hidden: true, textContent: "In grey: the curve before." });
    const sliders = choices.map(slider);
    const first = element("input", { type: "checkbox" });
    const lock = element("button", { type: "button", textContent: "Lock my guess", hidden: true });
    let pictures = 0;
    const guess = element("p", {}, element("label", {}, first, " Guess before the model answers "), lock);
    let at, drawn, next, busy = false;

    function slider({ name, label, options, first: start }, place) {
      const numbers = options.every((o) => typeof o === "number");
      const whole = options.every((o) => Number.isInteger(o));
      const input = element("input", { type: "range", min: 0, max: options.length - 1, step: numbers ? 0.02 : 1 });
      const stood = options.findIndex((o) => (numbers ? o === Number(before[place]) : String(o) === before[place]));
      input.value = stood < 0 ? start : stood;
      const read = element("output", {});
      // Between two of the values offered, the slider stands on any value.
      const value = () => {
        const below = Math.min(Math.floor(input.value), options.length - 2), share = input.value - below;
        if (!numbers) return options[Math.round(input.value)];
        const exact = options[below] + share * (options[below + 1] - options[below]);
        return whole ? Math.round(exact) : Number(exact.toPrecision(3));
      };
      const show = () => {
        read.textContent = String(value());
        input.setAttribute("aria-valuetext", read.textContent);
      };
      input.addEventListener("input", () => { show(); moved(); });
      show();
      return { name, value, row: element("label", { className: "live-slider" }, element("span", { textContent: label }), input, read) };
    }

    const state = () => Object.fromEntries(sliders.map((s) => [s.name, s.value()]));
    // The newest state alone is drawn; what the hand passed on its way there is left out.
    async function draw() {
      next = state();
      if (busy) return;
      busy = true;
      while (next) {
        const wanted = next;
        next = undefined;
        try {
          drawn = await ask("picture", { number: n, state: wanted });
          picture.src = `data:image/png;base64,${drawn.png}`;
          picture.alt = says.textContent = drawn.sentence;
          ghost.hidden = !drawn.curves || (pictures += 1) < 2;
        } catch (error) { says.textContent = error.message; }
      }
      busy = false;
    }
    function moved() {
      if (!first.checked) { mark.hidden = true; verdict.textContent = ""; draw(); return; }
      verdict.textContent = "Where will the curve be? Click a place in the picture, or move the cross with the arrow keys; then lock your guess.";
      lock.hidden = false;
    }
    function put(x, y) {
      at = [Math.min(Math.max(x, 0), 1), Math.min(Math.max(y, 0), 1)];
      mark.hidden = false;
      mark.style.left = `${100 * at[0]}%`;
      mark.style.top = `${100 * at[1]}%`;
    }
    frame.addEventListener("click", (event) => {
      if (!first.checked) return;
      const size = frame.getBoundingClientRect();
      put((event.clientX - size.left) / size.width, (event.clientY - size.top) / size.height);
      moved();
    });
    frame.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-0.02, 0], ArrowRight: [0.02, 0], ArrowUp: [0, -0.02], ArrowDown: [0, 0.02] }[event.key];
      if (!step || !first.checked) return;
      event.preventDefault();
      event.stopPropagation(); // the slides turn by the same keys
      const [x, y] = mark.hidden ? [0.5, 0.5] : at;
      put(x + step[0], y + step[1]);
      moved();
    });
    first.addEventListener("change", () => {
      frame.tabIndex = first.checked ? 0 : -1;
      lock.hidden = true;
      mark.hidden = true;
      verdict.textContent = first.checked ? "Move a slider: nothing is drawn until your guess is locked." : "";
      if (!first.checked) draw();
    });
    lock.addEventListener("click", async () => {
      if (mark.hidden) { verdict.textContent = "First click the place in the picture where you expect the curve."; return; }
      lock.hidden = true;
      while (busy) await new Promise((done) => setTimeout(done, 50)); // of a slider that was still drawn
      await draw();
      while (busy) await new Promise((done) => setTimeout(done, 50));
      verdict.textContent = await ask("answer", { number: n, x: at[0], y: 1 - at[1] });
    });

    await draw();
    frame.setAttribute("role", "group");
    frame.setAttribute("aria-label", "Figure; with a guess asked for, the arrow keys move the cross");
    return element("div", {}, ...sliders.map((s) => s.row), frame, ghost, says, ...(drawn?.curves ? [guess] : []), verdict);
  }
});
