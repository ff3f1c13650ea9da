"use strict";
(() => {
  const status = document.getElementById("status");
  const viewer = document.getElementById("viewer");

  // Numbers sort by data-value, whose empty text stands for none; what has none comes last either way.
  const key = (row, column) => {
    const cell = row.cells[column];
    if (cell.dataset.value === undefined) return cell.textContent.trim();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });

  const sort = (table, head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [key(row, column), row]);
    const known = rows.filter(([value]) => value !== null).sort(([a], [b]) => (down ? compare(b, a) : compare(a, b)));
    const none = rows.filter(([value]) => value === null);
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...[...known, ...none].map(([, row]) => row));
  };

  const copy = async (text, button) => {
    let done = false;
    try {
      await navigator.clipboard.writeText(text);
      done = true;
    } catch {
      // No permission, or no clipboard on file://: a selection that is copied works there.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      done = document.execCommand("copy");
      area.remove();
      button.focus();
    }
    status.textContent = done ? "Copied." : "The browser did not allow copying.";
    const label = button.dataset.label;
    button.textContent = done ? "Copied" : "Not allowed";
    setTimeout(() => { button.textContent = label; }, 1500);
  };

  const copyButton = (label, text) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = button.dataset.label = label;
    button.addEventListener("click", () => copy(text(), button));
    return button;
  };

  const clean = (cell) => cell.innerText.replace(/\s+/g, " ").trim();
  const tsv = (table) => [...table.rows].map((row) => [...row.cells].map(clean).join("\t")).join("\n") + "\n";

  for (const table of document.querySelectorAll("table")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, head, column));
      head.append(button);
    });
    const button = copyButton("Copy as TSV", () => tsv(table));
    button.setAttribute("aria-label", `Copy as TSV: ${table.caption.textContent}`);
    table.parentElement.after(button);
  }
  const methods = document.getElementById("methods-text");
  methods.after(copyButton("Copy text", () => methods.innerText + "\n"));

  const open = (point) => {
    const figure = document.getElementById(point.dataset.recovery);
    const image = figure.querySelector("img").cloneNode();
    document.getElementById("viewer-title").textContent = figure.querySelector("figcaption").firstChild.textContent;
    document.getElementById("viewer-plot").replaceChildren(image);
    document.getElementById("viewer-said").textContent = point.dataset.tip;
    viewer.showModal(); // Esc closes it, and focus goes back to the point
  };

  // One stop of the tab key for each figure; arrow keys go from point to point, in the order of 1000/T.
  for (const figure of document.querySelectorAll("figure.points")) {
    const points = [...figure.querySelectorAll(".point")];
    points.forEach((point, k) => {
      point.tabIndex = k ? -1 : 0;
      point.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        const next = event.key === "Home" ? 0 : event.key === "End" ? points.length - 1 : step && k + step;
        if (next === undefined || !points[next]) return;
        event.preventDefault();
        point.tabIndex = -1;
        points[next].tabIndex = 0;
        points[next].focus();
      });
      if (point.dataset.recovery)
        point.addEventListener("click", (event) => {
          event.preventDefault();
          point.focus();
          open(point);
        });
    });
  }
  viewer.querySelector("button").addEventListener("click", () => viewer.close());
  viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });

  // What is folded is printed open.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    folded.forEach((one) => { one.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((one) => { one.open = false; }));
})();
