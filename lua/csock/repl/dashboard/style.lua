-- style.lua: how the dashboard looks, in the light and in the dark, on wide windows and on narrow ones.
return [==[
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #fff; --text: #1c2024; --dim: #697077; --line: #e3e6ea; --hover: #f0f4fa;
  --in: #1f6fd6; --out: #d9711a; --good: #1c8a4b; --wait: #b07d00; --bad: #cf2f3a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --card: #1c2024; --text: #e4e7ea; --dim: #949ca4; --line: #2e343a; --hover: #242a31;
    --in: #5aa2ff; --out: #f09a4d; --good: #4cc27e; --wait: #e0b040; --bad: #ff6b74;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text); font: 13px/1.45 system-ui, sans-serif; }
header, main { max-width: 92rem; margin: 0 auto; padding: 0 1.1rem; }
header { display: flex; align-items: baseline; justify-content: space-between; padding-top: .9rem; }
h1 { font-size: 1.25rem; margin: 0; letter-spacing: -.01em; }
h2 { font-size: 1rem; margin: 1.3rem 0 .45rem; }
small, #status { color: var(--dim); font-size: 12px; font-weight: normal; }
#status::before { content: "● "; color: var(--wait); }
#status.live::before { color: var(--good); }
#status.lost { color: var(--bad); }
#status.lost::before { color: var(--bad); }
.lost + main { opacity: .55; }
#curves { display: grid; grid-template-columns: repeat(4, 1fr); gap: .7rem; margin-top: .8rem; }
figure, .scroll { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
figure { margin: 0; padding: .6rem .8rem .5rem; min-width: 0; }
figcaption { color: var(--dim); display: flex; justify-content: space-between; gap: .4rem; white-space: nowrap; }
figcaption span { overflow: hidden; text-overflow: ellipsis; }
figure p { margin: 0; font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure b { font-weight: 600; }
figure b + b { margin-left: .7rem; }
figure i { font-style: normal; font-size: 12px; font-weight: normal; color: var(--dim); margin-left: .25em; }
.in { color: var(--in); }
.out { color: var(--out); }
canvas { width: 100%; height: 3.6rem; display: block; margin-top: .25rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; white-space: nowrap; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .2rem .36rem; }
td:first-child { padding-left: .7rem; }
th { padding: 0; border-bottom: 1px solid var(--line); }
th button { all: unset; cursor: pointer; color: var(--dim); font-weight: 600; padding: .4rem .36rem; }
th button:hover, th[aria-sort] button { color: var(--text); }
th button:focus-visible, td button:focus-visible { outline: 2px solid var(--in); outline-offset: -2px; }
th[aria-sort=ascending] button::after { content: " ↑"; }
th[aria-sort=descending] button::after { content: " ↓"; }
tbody tr + tr td { border-top: 1px solid var(--line); }
tbody tr:hover td { background: var(--hover); }
tbody:empty::after { content: "none"; display: block; padding: .4rem .55rem; color: var(--dim); }
.n { text-align: right; }
.zero { color: var(--dim); opacity: .6; }
td.mono { max-width: 9.5rem; overflow: hidden; text-overflow: ellipsis; }
td.mono, pre { font: 12px/1.4 ui-monospace, "DejaVu Sans Mono", monospace; }
tr.gone td { opacity: .4; text-decoration: line-through; }
[data-text]::before { content: "● "; color: var(--dim); }
[data-text=connected]::before, [data-text=running]::before, [data-text=ready]::before { color: var(--good); }
[data-text=listening]::before { color: var(--in); }
[data-text=connecting]::before, [data-text=ended]::before, [data-text=closing]::before { color: var(--wait); }
td.acts { position: sticky; right: 0; background: var(--card); text-align: right; padding: .1rem .5rem; }
td button, #trace button {
  font: inherit; font-size: 12px; color: var(--text); background: none; cursor: pointer;
  border: 1px solid var(--line); border-radius: 5px; padding: .05rem .4rem; margin-left: .2rem;
}
td button:hover, #trace button:hover { border-color: var(--in); color: var(--in); }
td button.close:hover { border-color: var(--bad); color: var(--bad); }
td button:disabled { visibility: hidden; }
tr.traced td { background: var(--hover); }
#trace {
  position: fixed; inset: auto 0 0; max-height: 38vh; display: flex; flex-direction: column; z-index: 1;
  background: var(--card); border-top: 1px solid var(--line); box-shadow: 0 -4px 18px #0003;
}
#trace[hidden] { display: none; }
#trace > div { display: flex; gap: .8rem; align-items: baseline; padding: .5rem 1.1rem; }
#trace span { color: var(--dim); flex: 1; }
pre { margin: 0; overflow: auto; padding: 0 1.1rem .7rem; min-height: 6rem; }
main { padding-bottom: 2rem; }
.tracing main { padding-bottom: 40vh; }
@media (max-width: 800px) {
  #curves { grid-template-columns: 1fr 1fr; gap: .5rem; }
  header, main { padding-left: .6rem; padding-right: .6rem; }
  figure { padding: .5rem .6rem .4rem; }
  figure p { font-size: 1rem; }
  th button, td { padding-left: .3rem; padding-right: .3rem; }
  td button { padding: .05rem .35rem; }
  .wide { display: none; }
  td.mono { font-size: 11px; max-width: 8rem; }
  #sockets .state { font-size: 0; }
  #sockets .state::before { font-size: 13px; }
  td.peer:empty::before { content: attr(data-here); color: var(--dim); }
  #trace > div { padding: .4rem .6rem; }
  #trace span { display: none; }
  #trace b { flex: 1; }
  pre { padding: 0 .6rem .5rem; font-size: 10px; }
}
]==]
