// A word of one or two letters finds nearly every page: "spin-up" is looked up as "spin".
var splitQuery = (query) => {
  const words = query.split(/[^\p{Letter}\p{Number}_\p{Emoji_Presentation}]+/gu).filter(Boolean);
  // Numbers and words that every page has find nothing either: "N and P" is looked up as it stands.
  const finds = (word) => word.length > 2 && !/^\d+$/.test(word) && ![...stopwords].includes(word.toLowerCase());
  const long = words.filter(finds);
  return long.length ? long : words;
};

// What is shown of a page found is its text, not the list of its sections.
const wholeText = Search.htmlToText;
Search.htmlToText = (html, anchor) => {
  const page = new DOMParser().parseFromString(html, "text/html");
  page.querySelectorAll("#jb-print-docs-body, .bd-header-article, .bd-sidebar-secondary, .prev-next-footer, .bd-footer").forEach((part) => part.remove());
  return wholeText(page.documentElement.outerHTML, anchor);
};

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
