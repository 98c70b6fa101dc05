// What a page needs beside htmx.
"use strict";

// Where an address names a part of a report that came after the page, it is brought into view.
document.addEventListener("htmx:afterSettle", (event) => {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named || event.detail.elt.id !== "report") return;
  if (named.tagName === "DETAILS") named.open = true;
  named.scrollIntoView();
});

// A browser keeps six connections to one server: pages that nobody looks at must not keep them from the others. What
// such a page missed is fetched when somebody looks at it again.
const sources = new Set();
htmx.createEventSource = (url) => {
  const source = new EventSource(url);
  sources.add(source);
  return source;
};
document.addEventListener("visibilitychange", () => {
  if (document.hidden) {
    for (const source of sources) {
      if (source.readyState === EventSource.CLOSED) sources.delete(source);
      source.close();
    }
  } else if (sources.size) {
    sources.clear();
    htmx.ajax("GET", location.pathname, { target: "#main", select: "#main", swap: "outerHTML" });
  }
});

// A list shows what has become of its runs, unless somebody is about to point at one of them.
setInterval(() => {
  const rows = document.getElementById("rows");
  if (rows && !document.hidden && !rows.matches(":hover")) htmx.trigger(rows, "again");
}, 15000);
