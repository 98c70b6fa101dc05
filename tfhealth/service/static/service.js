// What a page needs beside htmx: where an address names a part that came later, it is brought into view.
"use strict";
document.addEventListener("htmx:afterSettle", (event) => {
  const named = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!named || event.detail.elt.id !== "report") return;
  if (named.tagName === "DETAILS") named.open = true;
  named.scrollIntoView();
});
