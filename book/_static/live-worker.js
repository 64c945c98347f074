// Python for live.js: the figures of one chapter, in a thread of their own so that the page stays quick.
const calls = {
  async begin({ lite, notebook }) {
    const read = async (path) => {
      const answer = await fetch(new URL(path, lite));
      if (!answer.ok) throw new Error(`${path} is not there`);
      return answer.json();
    };
    const settings = (await read("jupyter-lite.json"))["jupyter-config-data"].litePluginSettings;
    const { pyodideUrl, loadPyodideOptions: options } = settings["@jupyterlite/pyodide-kernel-extension:kernel"];
    const { loadPyodide } = await import(new URL(pyodideUrl, lite));
    const told = (step) => self.postMessage({ step });
    self.python = await loadPyodide({ env: options.env, lockFileURL: new URL(options.lockFileURL, lite).href });
    const cells = (await read(`files/${notebook}`)).cells.filter((cell) => cell.cell_type === "code")
      .map((cell) => [].concat(cell.source).join(""));
    told("NumPy, Matplotlib and the library of this course");
    // SciPy and the rest come when the library imports them; where a browser cannot wait for that, all of it comes now.
    await python.loadPackage(["landcarbon", "matplotlib", ..."Suspending" in WebAssembly ? [] : ["scipy", "pandas", "xarray", "landcarbon-data"]]);
    python.globals.set("cells", python.toPy(cells));
    await python.runPythonAsync("from landcarbon.course.live import Live");
  },
  async figure({ number }) {
    await python.runPythonAsync(`figure_${number} = Live(cells, ${number})`);
    return told(`figure_${number}.sliders`);
  },
  picture({ number, state }) {
    python.globals.set("state", python.toPy(state));
    return told(`figure_${number}.picture(**state)`);
  },
  answer({ number, x, y }) {
    return told(`figure_${number}.answer(${Number(x)}, ${Number(y)})`);
  },
};

async function told(expression) {
  return JSON.parse(await python.runPythonAsync(`import json\njson.dumps(${expression})`));
}

// One call after the other: Python does one thing at a time.
let last = Promise.resolve();
self.onmessage = ({ data: { id, call, given } }) => {
  last = last.then(() => calls[call](given)).then(
    (value) => self.postMessage({ id, value }),
    (error) => self.postMessage({ id, error: String(error.message || error).trim().split("\n").pop() }),
  );
};
