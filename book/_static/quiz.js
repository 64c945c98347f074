// Choose before the answer is told: the choices of a quiz (details elements) become radio buttons with
// a button "Check". What was chosen is kept in the reader's browser; the end has a score, first tries
// only, and the ideas to look at once more. Without this script the quiz works as it stands.
(function () {
  const { stored, store, element } = window.kept;

  function begin(quiz, number) {
    const name = "landcarbon.quiz." + quiz.dataset.quiz;
    let tries = stored(name); // { question: [choice, …] }, in the order in which they were checked
    const questions = [...quiz.querySelectorAll(".quiz-question")].map(question);
    const score = element("p", { className: "quiz-score" });
    const again = element("button", { type: "button", className: "quiz-again", textContent: "Start again" });
    score.setAttribute("role", "status");
    again.addEventListener("click", () => { tries = {}; store(name, tries); show(); });
    quiz.append(score, again);

    function question(box, index) {
      const key = box.dataset.question;
      const asked = box.querySelector("p");
      asked.id = `quiz-${number}-${index}`;
      const choices = [...box.querySelectorAll("details.quiz-choice")].map((old) => {
        const radio = element("input", { type: "radio", name: asked.id });
        const label = element("label", {}, radio, ...old.querySelector("summary").childNodes);
        const feedback = old.querySelector(".quiz-feedback");
        const made = element("div", { className: "quiz-choice" }, label, feedback);
        Object.assign(made.dataset, old.dataset);
        old.replaceWith(made);
        radio.addEventListener("change", () => { button.disabled = false; });
        return { made, radio, feedback, id: old.dataset.choice, right: "right" in old.dataset };
      });
      const button = element("button", { type: "button", textContent: "Check" });
      const group = element("div", {}, ...choices.map((c) => c.made), button);
      group.setAttribute("role", "radiogroup");
      group.setAttribute("aria-labelledby", asked.id);
      group.setAttribute("aria-live", "polite");
      box.append(group);
      const rightId = choices.find((c) => c.right).id;
      button.addEventListener("click", () => {
        if ((tries[key] || []).includes(rightId)) {
          choices.forEach((c) => { c.feedback.hidden = false; });
          button.hidden = true;
          return;
        }
        tries[key] = [...(tries[key] || []), choices.find((c) => c.radio.checked).id];
        store(name, tries);
        show();
      });
      return {
        concept: box.dataset.concept,
        done: () => (tries[key] || []).includes(rightId),
        first: () => (tries[key] || [])[0] === rightId,
        show() {
          const tried = tries[key] || [];
          const done = tried.includes(rightId);
          for (const c of choices) {
            c.made.classList.toggle("tried", tried.includes(c.id));
            c.feedback.hidden = !tried.includes(c.id);
            c.radio.disabled = done || tried.includes(c.id);
            c.radio.checked = done && c.right;
          }
          button.textContent = done ? "Why not the others?" : "Check";
          button.hidden = false;
          button.disabled = !done;
        },
      };
    }

    function show() {
      questions.forEach((q) => q.show());
      const done = questions.filter((q) => q.done()).length;
      const missed = questions.filter((q) => !q.first()).map((q) => q.concept);
      again.hidden = !Object.keys(tries).length;
      // For the page "My progress".
      if (done === questions.length) {
        store(`landcarbon.score.${quiz.dataset.quiz}`,
          { questions: done, first: done - missed.length, missed });
      }
      score.textContent = done < questions.length
        ? `${done} of ${questions.length} questions answered.`
        : `${questions.length - missed.length} of ${questions.length} right at the first try.`
          + (missed.length ? ` Look once more at: ${missed.join("; ")}.` : "");
    }
    show();
  }

  document.addEventListener("DOMContentLoaded", () => document.querySelectorAll(".quiz").forEach(begin));
})();
