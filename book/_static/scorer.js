// Search: chapters before the appendix, the appendix before the pages of the library.
var Scorer = {
  score: (result) => {
    const [page, , , , score] = result;
    if (page.startsWith("book/module")) return score + 30;
    return page.includes("/api") ? score - 30 : score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
