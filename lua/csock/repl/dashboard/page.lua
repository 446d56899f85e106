-- page.lua: the dashboard's page. `NONCE` stands for a word that is another one each time.
return [==[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>csock</title>
<link rel="icon" href="data:,">
<style nonce="NONCE">
  :root { color-scheme: light dark; --line: #8884; --in: #2a7de1; --out: #e1802a; --dim: #888; }
  body { font: 13px/1.4 system-ui, sans-serif; margin: 1.2rem auto; max-width: 80rem; padding: 0 1rem; }
  h1 { font-size: 1.2rem; margin: 0 0 .8rem; align-items: baseline; display: flex; justify-content: space-between; }
  h2 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
  #status { color: var(--dim); font-weight: normal; font-size: 13px; }
  #curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(13rem, 1fr)); gap: .6rem; }
  figure { margin: 0; border: 1px solid var(--line); border-radius: 6px; padding: .5rem .7rem; }
  figcaption { display: flex; justify-content: space-between; color: var(--dim); }
  figcaption b { color: CanvasText; white-space: nowrap; font-variant-numeric: tabular-nums; }
  canvas { width: 100%; height: 4rem; display: block; margin-top: .3rem; }
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; white-space: nowrap; }
  th, td { text-align: left; padding: .1rem .55rem .1rem 0; border-bottom: 1px solid var(--line); }
  th { cursor: pointer; user-select: none; font-weight: 600; }
  th[aria-sort=ascending]::after { content: " ↑"; }
  th[aria-sort=descending]::after { content: " ↓"; }
  td.n, th.n { text-align: right; }
  td:last-child { padding-right: 0; }
  button { font: inherit; padding: 0 .45rem; }
  #trace { border: 1px solid var(--line); border-radius: 6px; padding: .5rem .7rem; }
  #trace pre { max-height: 20rem; overflow: auto; margin: .4rem 0 0; }
</style>
<h1>csock <span id="status" role="status">connecting…</span></h1>
<div id="curves"></div>
<h2>Sockets</h2>
<div class="scroll"><table id="sockets"><thead></thead><tbody></tbody></table></div>
<section id="trace" hidden><button id="stop">end</button> <b></b><pre></pre></section>
<h2>Tasks</h2>
<div class="scroll"><table id="tasks"><thead></thead><tbody></tbody></table></div>
<script nonce="NONCE">
"use strict";
const $ = (selector, inside = document) => inside.querySelector(selector);

function element(name, text, parent, className) {
  const e = document.createElement(name);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  if (parent) parent.append(e);
  return e;
}

function size(n) {
  const units = ["", "k", "M", "G", "T"];
  let i = 0;
  while (n >= 1000 && i < units.length - 1) { n /= 1000; i++; }
  return (i > 0 && n < 10 ? n.toFixed(1) : Math.round(n)) + units[i];
}

function age(text) {
  const seconds = Number(text);
  if (text === "") return "";
  if (seconds < 60) return seconds.toFixed(seconds < 10 ? 1 : 0) + " s";
  if (seconds < 3600) return Math.floor(seconds / 60) + " min";
  return Math.floor(seconds / 3600) + " h";
}

// --- curves: of each the name, which sums it draws, and how a value reads ---

const KEPT = 120;
const CURVES = [
  { name: "bytes a second, in / out", fields: [0, 1], text: size },
  { name: "new sockets a second", fields: [2], text: n => n.toFixed(n < 10 ? 1 : 0) },
  { name: "loop late by", fields: [3], text: n => n.toFixed(1) + " ms" },
  { name: "Lua memory", fields: [4], text: n => size(n) + "B" },
];
for (const curve of CURVES) {
  const figure = element("figure", undefined, $("#curves"));
  const caption = element("figcaption", undefined, figure);
  element("span", curve.name, caption);
  curve.value = element("b", "", caption);
  curve.canvas = element("canvas", undefined, figure);
  curve.points = curve.fields.map(() => []);
}

function draw(curve) {
  const { canvas } = curve, scale = devicePixelRatio || 1;
  const width = canvas.width = canvas.clientWidth * scale, height = canvas.height = canvas.clientHeight * scale;
  const context = canvas.getContext("2d");
  const most = Math.max(1e-9, ...curve.points.flat());
  const style = getComputedStyle(document.documentElement);
  curve.points.forEach((points, i) => {
    context.strokeStyle = style.getPropertyValue(i === 0 ? "--in" : "--out");
    context.lineWidth = 1.5 * scale;
    context.beginPath();
    points.forEach((value, at) => {
      const x = width * (KEPT - points.length + at) / (KEPT - 1);
      context.lineTo(x, height - 2 * scale - value / most * (height - 4 * scale));
    });
    context.stroke();
  });
}

function extend(sums) {
  for (const curve of CURVES) {
    curve.fields.forEach((field, i) => {
      curve.points[i].push(Number(sums[field]));
      if (curve.points[i].length > KEPT) curve.points[i].shift();
    });
    curve.value.textContent = curve.fields.map(field => curve.text(Number(sums[field]))).join(" / ");
    draw(curve);
  }
}

// --- tables: columns by name, the field, whether it is a number, how it reads ---

const TABLES = {
  s: {
    at: $("#sockets"), rows: [], by: 0, down: false, actions: ["trace", "close"],
    columns: [
      ["id", 0, true], ["kind", 1], ["state", 2], ["here", 3], ["peer", 4], ["in/s", 5, true, size],
      ["out/s", 6, true, size], ["in", 7, true, size], ["out", 8, true, size], ["inq", 9, true], ["outq", 10, true],
      ["age", 11, true, age], ["made", 12],
    ],
  },
  t: {
    at: $("#tasks"), rows: [], by: 0, down: false, actions: [],
    columns: [
      ["id", 0, true], ["name", 1], ["status", 2], ["waits in", 3], ["of", 4], ["since", 5, true, age], ["where", 6],
    ],
  },
};

function order(table) {
  const [, field, isNumber] = table.columns[table.by];
  const sign = table.down ? -1 : 1;
  table.rows.sort((a, b) => sign * (isNumber ? Number(a[field]) - Number(b[field]) : a[field].localeCompare(b[field])));
}

function head(table) {
  const row = element("tr", undefined, $("thead", table.at));
  table.heads = table.columns.map(([name, , isNumber], i) => {
    const th = element("th", name, row, isNumber ? "n" : "");
    th.addEventListener("click", () => {
      table.down = table.by === i ? !table.down : Boolean(isNumber);
      table.by = i;
      show(table);
    });
    return th;
  });
  for (let i = 0; i < table.actions.length; i++) element("th", "", row);
}

// Rows stay where they are, so that a button is not taken away under a click.
function show(table) {
  order(table);
  table.heads.forEach((th, i) => {
    if (i === table.by) th.setAttribute("aria-sort", table.down ? "descending" : "ascending");
    else th.removeAttribute("aria-sort");
  });
  const body = $("tbody", table.at);
  table.rows.forEach((fields, i) => {
    const tr = body.rows[i] || element("tr", undefined, body);
    tr.dataset.id = fields[0];
    table.columns.forEach(([, field, isNumber, text], j) => {
      const td = tr.cells[j] || element("td", "", tr, isNumber ? "n" : "");
      const value = text && fields[field] !== "" ? text(fields[field]) : fields[field];
      if (td.textContent !== value) td.textContent = value;
    });
    table.actions.forEach((action, j) => {
      if (tr.cells[table.columns.length + j]) return;
      const button = element("button", action, element("td", undefined, tr));
      button.addEventListener("click", () => actions[action](tr.dataset.id));
    });
  });
  while (body.rows.length > table.rows.length) body.deleteRow(-1);
}

// --- what a click does ---

let tracing = null;
function endTrace() {
  if (tracing) tracing.close();
  tracing = null;
}
const actions = {
  close: id => fetch("close?id=" + id, { method: "POST" }),
  trace: id => {
    endTrace();
    $("#trace").hidden = false;
    $("#trace b").textContent = "socket " + id;
    const pre = $("#trace pre");
    pre.textContent = "";
    tracing = new EventSource("trace?id=" + id);
    tracing.onmessage = event => {
      pre.textContent = (pre.textContent + event.data + "\n").slice(-100000);
      pre.scrollTop = pre.scrollHeight;
    };
    tracing.onerror = endTrace;
  },
};
$("#stop").addEventListener("click", () => {
  endTrace();
  $("#trace").hidden = true;
});

// --- what comes ---

for (const table of Object.values(TABLES)) head(table);
const events = new EventSource("events");
events.onmessage = event => {
  const [first, ...lines] = event.data.split("\n");
  const sums = first.split("\t");
  for (const table of Object.values(TABLES)) table.rows = [];
  for (const line of lines) {
    const [kind, ...fields] = line.split("\t");
    TABLES[kind].rows.push(fields);
  }
  $("#status").textContent = sums[5] + " sockets, " + sums[6] + " tasks";
  extend(sums);
  for (const table of Object.values(TABLES)) show(table);
};
events.onerror = () => { $("#status").textContent = "not connected"; };
</script>
]==]
