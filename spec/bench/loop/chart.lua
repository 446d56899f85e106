-- Draws the loop's figures with gnuplot, as SVG: a panel for each workload, a bar for each contender,
-- and a line where C on bare epoll is.
local harness = require "spec.bench.harness"

local COLUMNS = 4
local WIDTH, HEIGHT = 300, 200 -- of a panel, in points
local CAP = 4 -- times C: longer bars are cut, and their number says it
local OURS = { csock = true, reactor = true }
local EXPLAINED = "The server's CPU for each message, in multiples of what C on bare epoll takes (the red line);"
  .. " less is better.\n"

local HEAD = [[
set terminal svg size %d,%d font "sans-serif,11" background "white"
set output %q
set multiplot layout %d,%d margins 0.07,0.985,0.12,0.95 spacing 0.075,0.06
set style fill solid 0.9 noborder
set tics scale 0
unset xtics
unset border
unset key
set label "%s" at screen 0.01,screen 0.06 noenhanced font ",10" textcolor rgb "#444444"
]]

local PANEL = [[
set title %q noenhanced font ",11" offset 0,-0.8
set yrange [%f:0.4]
set xrange [0:%f]
set ytics (%s) noenhanced
unset arrow
%s
plot $D%d using (0):1:(0):2:($1-0.36):($1+0.36):3 with boxxyerror lc rgb variable, \
  $D%d using 2:1:4 with labels left offset 0.4,0 font ",10" noenhanced
unset label
]]

local function value_of(row, figures)
  if row.unit == "bytes" then return figures.bytes, "%.0f" end
  if row.unit == "ns" then return figures.cpu, "%.0f" end
  return figures.ratio, "%.2f"
end

-- The panel's data as a gnuplot block, and the command that draws it.
local function panel(index, row, contenders, results)
  local lines, names, most, count = {}, {}, 0, 0
  for i, contender in ipairs(contenders) do
    local value, format = value_of(row, results[contender.name] or {})
    if value and i > 1 then -- the first one is C
      local shown = row.unit and value or math.min(value, CAP)
      count = count + 1
      most = math.max(most, shown)
      names[count] = ("%q %d"):format(contender.name, -count)
      lines[count] = ("%d %f %d %s"):format(-count, shown, OURS[contender.name] and 0x1f77b4 or 0xb8b8b8,
        format:format(value))
    end
  end
  local block = ("$D%d << EOD\n%s\nEOD\n"):format(index, table.concat(lines, "\n"))
  local floor = not row.unit and "set arrow from 1,graph 0 to 1,graph 1 nohead lc rgb '#d62728' front" or ""
  local title = row.unit and row.title .. ", " .. row.unit or row.title
  local command = PANEL:format(title, -count - 0.6, most * 1.2, table.concat(names, ", "), floor, index, index)
  return block, command
end

--- Draws what `bench.lua` has measured.
-- @tparam string path of the SVG
-- @tparam string caption the machine and the versions, in lines
-- @treturn ?string why it could not be drawn
return function(path, caption, rows, contenders, all)
  if not harness.first_line { "gnuplot", "--version" } then return "gnuplot is not installed" end
  local blocks, commands = {}, {}
  for i, row in ipairs(rows) do blocks[i], commands[i] = panel(i, row, contenders, all[row.name]) end
  local columns = math.min(COLUMNS, #rows)
  local lines = (#rows + columns - 1) // columns
  local gnuplot <close> = assert(io.popen("gnuplot", "w"))
  local text = (EXPLAINED .. caption):gsub("\n", "\\n")
  gnuplot:write(table.concat(blocks))
  gnuplot:write(HEAD:format(columns * WIDTH, lines * HEIGHT + 75, path, lines, columns, text))
  gnuplot:write(table.concat(commands), "unset multiplot\n")
end
