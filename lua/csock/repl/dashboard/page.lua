-- page.lua: the dashboard's page, with style.lua and script.lua in it. `NONCE` stands for a word that is another one
-- each time. All that comes from the program is put in as text, never as HTML.
local script = require "csock.repl.dashboard.script"
local style = require "csock.repl.dashboard.style"

return [==[
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>csock</title>
<link rel="icon" href="data:,">
<style nonce="NONCE">
]==] .. style .. [==[
</style>
<header><h1>csock</h1><span id="status" role="status">connecting…</span></header>
<main>
<div id="curves"></div>
<section id="sockets"><h2>Sockets <small></small></h2>
<div class="scroll"><table><thead></thead><tbody></tbody></table></div></section>
<section id="tasks"><h2>Tasks <small></small></h2>
<div class="scroll"><table><thead></thead><tbody></tbody></table></div></section>
</main>
<aside id="trace" aria-label="trace" hidden>
<div><b></b><span role="status"></span><button id="stop">end</button></div>
<pre tabindex="0"></pre>
</aside>
<script nonce="NONCE">
]==] .. script .. [==[
</script>
]==]
