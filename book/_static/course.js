// The widgets (widgets/embed.js) typeset their labels by the interface of MathJax 2, `Hub.Queue`;
// the pages load MathJax 3. This passes such requests on, whenever MathJax arrives.
(function () {
  const hub = {
    Queue: function (job) {
      const ready = value.startup && value.startup.promise;
      if (ready && value.typesetPromise) {
        ready.then(() => value.typesetPromise([job[2]]));
      } else {
        window.addEventListener("load", () => value.typesetPromise && value.typesetPromise([job[2]]), { once: true });
      }
    },
  };
  let value;
  const keep = (next) => {
    value = next || {};
    value.Hub = hub;
  };
  keep(window.MathJax);
  Object.defineProperty(window, "MathJax", { configurable: true, get: () => value, set: keep });
})();
