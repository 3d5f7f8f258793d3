// Comfort on top of pages that work without it: the selection's numbers, short addresses, the keyboard.
"use strict";

// Selection: the main button says how many, and says why when it cannot be pressed.

const form = () => document.querySelector("form[data-selection]");
const ticks = (of) => [...of.querySelectorAll(".tick input")];

function showSelection() {
  const selection = form();
  if (!selection) return;
  const all = selection.querySelector("[data-all]");
  const boxes = ticks(selection);
  const ticked = boxes.filter((box) => box.checked);
  const page = selection.querySelector("[data-tick-page]");
  page.closest("label").hidden = false;
  page.checked = boxes.length > 0 && ticked.length === boxes.length;
  page.indeterminate = ticked.length > 0 && ticked.length < boxes.length;
  selection.querySelector("[data-ticked]").textContent = ticked.length ? `${ticked.length} of ${boxes.length} rows ticked` : "Ticked rows: none";
  for (const button of document.querySelectorAll('button[form="selection"]:not([data-barred])')) showButton(button, all?.checked ? all : null, ticked);
}

// What somebody may not do is none of these: it stays barred, with its reason.
function showButton(button, all, ticked) {
  const redrives = "redrive" in button.dataset;
  const n = redrives ? ticked.reduce((sum, box) => sum + Number(box.dataset.count), 0) : ticked.length;
  const nothing = !all && n === 0;
  button.disabled = nothing;
  button.title = !nothing ? "" : redrives && ticked.length ? "Nothing of what is ticked is unresolved." : form().querySelector("[data-all]") ? "Tick some rows first, or choose all that match." : "Tick some rows first.";
  const noun = button.dataset.noun ?? "event";
  const events = `${n.toLocaleString("en")} ${n === 1 ? noun : `${noun}s`}`;
  if (redrives) button.textContent = all ? all.dataset.all : nothing ? "Redrive selected" : `Redrive ${events}`;
  if (button.dataset.does) button.textContent = nothing ? button.dataset.does : `${button.dataset.does} ${all ? button.dataset.every : events}`;
}

document.addEventListener("change", (event) => {
  const selection = form();
  if (!selection || !selection.contains(event.target)) return;
  if (event.target.matches("[data-tick-page]")) for (const box of ticks(selection)) box.checked = event.target.checked;
  // Ticking a row means those rows: choosing everything is only ever done by its own button.
  const rows = selection.querySelector('[name="scope"][value="page"]');
  if (rows && event.target.type === "checkbox") rows.checked = true;
  showSelection();
});
document.addEventListener("htmx:afterSettle", showSelection);
window.addEventListener("pageshow", showSelection);

// What htmx exchanges keeps the focus where the same thing is there again (it has an id); where not, the list has it,
// so that the keyboard goes on from there and not from the top of the page.
let focusWasIn = "";
document.addEventListener("htmx:beforeSwap", (event) => {
  const target = event.detail.target;
  focusWasIn = target?.contains(document.activeElement) || document.activeElement?.closest("#chips") ? target.id : "";
});
document.addEventListener("htmx:afterSettle", () => {
  const place = focusWasIn && document.activeElement === document.body ? document.getElementById(focusWasIn) : null;
  focusWasIn = "";
  if (!place) return;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
});

// Addresses stay short: a filter that is not set is not in them.
document.addEventListener("htmx:configRequest", (event) => {
  for (const [name, value] of [...event.detail.formData.entries()]) if (value === "") event.detail.formData.delete(name);
});

// A redrive cannot be asked for twice by pressing twice.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target.method === "post" && button) setTimeout(() => (button.disabled = true));
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) for (const button of document.querySelectorAll("form[method=post] button:disabled:not([title])")) button.disabled = false;
});

// On a narrow screen the navigation is wider than the page: show where we are.
document.querySelector(".top [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

// The menu closes when something else is pressed, or by Esc, which gives the focus back to it.
const more = document.querySelector(".top .more");
document.addEventListener("click", (event) => {
  if (more && !more.contains(event.target)) more.open = false;
});
more?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !more.open) return;
  more.open = false;
  more.querySelector("summary").focus();
});

// Keyboard

// The key is only told where there may be a keyboard.
const search = document.querySelector('.top input[type="search"]');
if (search && matchMedia("(pointer: fine)").matches) search.placeholder += "   /";

let waitsForPlace = 0;

function moveRow(step) {
  const rows = [...document.querySelectorAll("a[data-row]")];
  const here = rows.findIndex((row) => row.closest("tr").contains(document.activeElement));
  const next = here < 0 ? (step > 0 ? 0 : rows.length - 1) : here + step;
  rows[Math.min(Math.max(next, 0), rows.length - 1)]?.focus();
}

function tickRow() {
  document.activeElement?.closest("tr")?.querySelector(".tick input")?.click();
}

function redrive() {
  document.querySelector("button[data-confirm]")?.focus();
  document.querySelector("button[data-redrive]:not(:disabled)")?.click();
}

// What changes something is only focused: Enter does it.
function focusOn(key) {
  document.querySelector(`[data-key="${key}"]:not(:disabled)`)?.focus();
}

const KEYS = {
  ...Object.fromEntries([..."acemnsv"].map((key) => [key, () => focusOn(key)])),
  "/": () => search.select(),
  "?": () => document.querySelector("#help").showModal(),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  x: tickRow,
  r: redrive,
  g: () => (waitsForPlace = Date.now()),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const goes = Date.now() - waitsForPlace < 1500 && document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
  waitsForPlace = 0;
  if (goes) goes.click();
  else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});
