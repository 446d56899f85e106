-- script.lua: what the dashboard's page does, in JavaScript. What comes is described in sampler.lua and trace.lua.
return [==[
"use strict";
const $ = (selector, inside = document) => inside.querySelector(selector);

function element(name, text, parent, className) {
  const e = document.createElement(name);
  if (text) e.textContent = text;
  if (className) e.className = className;
  if (parent) parent.append(e);
  return e;
}

function size(n) {
  const units = ["", "k", "M", "G", "T"];
  let i = 0;
  for (n = Number(n); n >= 999.5 && i < units.length - 1; i++) n /= 1000;
  return (i > 0 && n < 9.95 ? n.toFixed(1) : Math.round(n)) + units[i];
}

function age(seconds) {
  if (seconds < 9.95) return Number(seconds).toFixed(1) + " s";
  if (seconds < 100) return Math.floor(seconds) + " s";
  if (seconds < 6000) return Math.floor(seconds / 60) + " min";
  return Math.floor(seconds / 3600) + " h";
}

const file = place => place.replace(/^.*\//, "");
const plural = (n, word) => Number(n).toLocaleString("en") + " " + word + (Number(n) === 1 ? "" : "s");

// --- curves: of each the name, which sums it draws, in which unit ---

const KEPT = 120, LEAST = 60; // samples, of which so many have room from the start
const few = n => n.toFixed(n < 9.95 && n > 0 ? 1 : 0);
const CURVES = [
  { name: "in, out", fields: [0, 1], text: size, unit: "B/s" },
  { name: "accepted", fields: [2], text: few, unit: "/s" },
  { name: "loop late by", fields: [3], text: few, unit: "ms" },
  { name: "Lua memory", fields: [4], text: size, unit: "B" },
];
const COLOURS = ["in", "out"];

for (const curve of CURVES) {
  const figure = element("figure", "", $("#curves"));
  const caption = element("figcaption", "", figure);
  element("span", curve.name, caption);
  curve.most = element("span", "", caption);
  const line = element("p", "", figure);
  curve.values = curve.fields.map((_, i) => element("b", "–", line, curve.fields.length > 1 ? COLOURS[i] : ""));
  element("i", curve.unit, line);
  curve.canvas = element("canvas", "", figure);
  curve.points = curve.fields.map(() => []);
}

function draw({ canvas, points }) {
  const scale = devicePixelRatio || 1, style = getComputedStyle(document.documentElement);
  const width = canvas.width = canvas.clientWidth * scale, height = canvas.height = canvas.clientHeight * scale;
  const context = canvas.getContext("2d"), most = Math.max(1e-9, ...points.flat());
  const room = Math.max(LEAST, points[0].length) - 1, floor = height - scale;
  context.fillStyle = style.getPropertyValue("--line");
  context.fillRect(0, floor, width, scale);
  context.lineWidth = 1.5 * scale;
  context.lineJoin = "round";
  points.forEach((values, i) => {
    context.strokeStyle = context.fillStyle = style.getPropertyValue("--" + COLOURS[i]);
    const x = at => width * (room + 1 - values.length + at) / room;
    context.beginPath();
    values.forEach((value, at) => context.lineTo(x(at), floor - scale - value / most * (height - 5 * scale)));
    context.stroke();
    if (i > 0) return; // two fills on each other would be neither's colour
    context.lineTo(width, floor);
    context.lineTo(x(0), floor);
    context.globalAlpha = 0.12;
    context.fill();
    context.globalAlpha = 1;
  });
}

const redraw = () => CURVES.forEach(draw);
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

function extend(sums) {
  for (const curve of CURVES) {
    curve.fields.forEach((field, i) => {
      curve.points[i].push(Number(sums[field]));
      if (curve.points[i].length > KEPT) curve.points[i].shift();
      curve.values[i].textContent = curve.text(Number(sums[field]));
    });
    curve.most.textContent = "max " + curve.text(Math.max(...curve.points.flat()));
    draw(curve);
  }
}

// --- tables: of each column the name, what it is (n: a number, mono: an address or place, wide: only on wide windows),
// and how it reads. The fields of a row come in the same order; the first is its number ---

function table(id, word, actions, columns) {
  const section = $(id), t = { word, actions, columns, by: 0, down: false, rows: [], trs: new Map(), touched: 0 };
  t.body = $("tbody", section);
  t.note = $("small", section);
  const row = element("tr", "", $("thead", section));
  t.heads = columns.map(([name, kind], i) => {
    const th = element("th", "", row, kind);
    element("button", name, th).addEventListener("click", () => {
      t.down = t.by === i ? !t.down : kind.includes("n ");
      t.by = i;
      arrange(t);
    });
    return th;
  });
  if (actions.length) element("th", "", row);
  arrange(t);
  return t;
}

const SOCKETS = table("#sockets", "socket", ["trace", "close"], [
  ["id", "n "], ["kind", "wide"], ["state", "state"], ["here", "mono wide"], ["peer", "mono peer"],
  ["in/s", "n ", size], ["out/s", "n ", size], ["in", "n wide", size], ["out", "n wide", size],
  ["inq", "n wide", size], ["outq", "n wide", size], ["age", "n wide", age], ["made at", "mono wide", file],
]);
const TASKS = table("#tasks", "task", [], [
  ["id", "n "], ["name", ""], ["status", "state wide"], ["waits in", ""], ["of", "mono"], ["since", "n ", age],
  ["at", "mono wide", file],
]);

function compare(t, a, b) {
  const x = a.fields[t.by], y = b.fields[t.by];
  const order = t.columns[t.by][1].includes("n ") ? Number(x) - Number(y) : x.localeCompare(y, "en", { numeric: true });
  return (t.down ? -order : order) || Number(a.fields[0]) - Number(b.fields[0]);
}

// Puts the rows in order; those that are gone go.
function arrange(t) {
  t.heads.forEach((th, i) => {
    if (i === t.by) th.setAttribute("aria-sort", t.down ? "descending" : "ascending");
    else th.removeAttribute("aria-sort");
  });
  for (const [id, tr] of t.trs) {
    if (!tr.gone) continue;
    tr.remove();
    t.trs.delete(id);
  }
  let at = t.body.firstElementChild;
  for (const tr of [...t.trs.values()].sort((a, b) => compare(t, a, b))) {
    if (tr === at) at = at.nextElementSibling;
    else t.body.insertBefore(tr, at);
  }
}

function fill(t, tr) {
  t.columns.forEach(([, kind, text], j) => {
    const td = tr.cells[j], field = tr.fields[j], value = text && field !== "" ? text(field) : field;
    if (td.textContent === value) return;
    td.textContent = value;
    if (kind.includes("n ")) td.classList.toggle("zero", field === "0");
    if (kind.includes("state")) td.dataset.text = value;
    if (kind.includes("mono")) td.title = field;
  });
}

function make(t, id) {
  const tr = document.createElement("tr");
  for (const [, kind] of t.columns) element("td", "", tr, kind);
  if (t.actions.length) {
    const td = element("td", "", tr, "acts");
    for (const name of t.actions)
      element("button", name, td, name).addEventListener("click", () => actions[name](id, tr));
  }
  t.trs.set(id, tr);
  return tr;
}

function show(t, total) {
  for (const tr of t.trs.values()) tr.gone = true;
  for (const fields of t.rows) {
    const tr = t.trs.get(fields[0]) || make(t, fields[0]);
    tr.fields = fields;
    tr.gone = false;
    fill(t, tr);
    const peer = $(".peer", tr); // where there is none, a narrow window shows the own address
    if (peer) peer.dataset.here = fields[3];
    if (!tr.parentNode) t.body.append(tr);
  }
  for (const tr of t.trs.values()) {
    tr.classList.toggle("gone", tr.gone);
    for (const button of tr.querySelectorAll("button")) button.disabled = tr.gone;
  }
  if (Date.now() - t.touched > HELD) arrange(t);
  const shown = t.rows.length;
  t.note.textContent = shown < Number(total)
    ? (t === SOCKETS ? "the busiest " : "") + shown + " of " + Number(total).toLocaleString("en") : "";
}

// While somebody moves among the rows, they stay where they are: what one aims at is what one gets.
const HELD = 5000; // ms
for (const t of [SOCKETS, TASKS]) {
  for (const kind of ["pointermove", "focusin", "keydown"])
    t.body.addEventListener(kind, () => { t.touched = Date.now(); });
  t.body.addEventListener("pointerleave", () => {
    t.touched = 0;
    arrange(t);
  });
}

// --- what a click does ---

const MOST = 2000; // pieces of a trace
const trace = $("#trace"), pre = $("#trace pre");
let tracing = null;

function say(text) { $("#trace span").textContent = text; }

function endTrace(text) {
  if (tracing) tracing.close();
  tracing = null;
  say(text);
}

function showTrace(on, id) {
  trace.hidden = !on;
  document.body.classList.toggle("tracing", on);
  for (const [n, tr] of SOCKETS.trs) tr.classList.toggle("traced", on && n === id);
}

const actions = {
  close: async (id, tr) => {
    const answer = await fetch("close?id=" + id, { method: "POST" }).catch(() => null);
    if (answer && (answer.ok || answer.status === 404)) {
      tr.gone = true;
      tr.classList.add("gone");
    }
  },
  trace: (id, tr) => {
    endTrace("waiting for bytes…");
    $("#trace b").textContent = "socket " + id + (tr.fields[4] && " with " + tr.fields[4]);
    pre.textContent = "";
    showTrace(true, id);
    const source = tracing = new EventSource("trace?id=" + id);
    source.onmessage = event => {
      const atEnd = pre.scrollTop + pre.clientHeight > pre.scrollHeight - 30;
      const [first, ...lines] = event.data.split("\n");
      const piece = element("div", "", pre);
      element("b", first, piece, first.split(" ")[1] === "<" ? "in" : "out");
      piece.append("\n" + lines.join("\n"));
      while (pre.childElementCount > MOST) pre.firstElementChild.remove();
      if (atEnd) pre.scrollTop = pre.scrollHeight;
      say("< received, > sent");
    };
    source.addEventListener("end", () => endTrace("the socket is closed"));
    source.onerror = () => { if (source === tracing) endTrace("ended"); };
  },
};
$("#stop").addEventListener("click", () => {
  endTrace("");
  showTrace(false);
});

// --- what comes: only while somebody sees it, and again after it was lost ---

const AGAIN = 1000, SILENT = 5000; // ms
const status = $("#status");
let events = null, news = 0;

function tell(className, text) {
  status.className = className;
  $("header").className = className;
  if (status.textContent !== text) status.textContent = text;
}

function receive(event) {
  const [first, ...lines] = event.data.split("\n");
  const sums = first.split("\t");
  SOCKETS.rows = [];
  TASKS.rows = [];
  for (const line of lines) {
    const [kind, ...fields] = line.split("\t");
    (kind === "s" ? SOCKETS : TASKS).rows.push(fields);
  }
  news = Date.now();
  tell("live", plural(sums[5], "socket") + ", " + plural(sums[6], "task"));
  extend(sums);
  show(SOCKETS, sums[5]);
  show(TASKS, sums[6]);
}

function listen() {
  if (events || document.hidden) return;
  const source = events = new EventSource("events");
  news = Date.now();
  source.onmessage = receive;
  source.onerror = () => {
    source.close();
    if (events !== source) return;
    events = null;
    tell("lost", "not connected");
    setTimeout(listen, AGAIN);
  };
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) return listen();
  if (events) events.close();
  events = null;
  tell("", "paused");
});
setInterval(() => {
  if (events && Date.now() - news > SILENT) tell("lost", "the program does not answer");
}, 1000);
listen();
]==]
