-- columns.lua: rows of texts under each other.

local function length_of(text) return utf8.len(text) or #text end

-- At most so many characters of a text: its beginning, or its end.
local function cut(text, width, from)
  local length = length_of(text)
  if length <= width then return text .. (" "):rep(width - length) end
  if from == "end" then return "…" .. text:sub(utf8.offset(text, 1 - width) or 1 - width) end
  return text:sub(1, (utf8.offset(text, width) or width) - 1) .. "…"
end

-- How wide the columns are as they are.
local function natural_widths(head, rows)
  local widths = {}
  for i, column in ipairs(head) do
    widths[i] = length_of(column.title)
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], length_of(row[i] or "")) end
  end
  return widths
end

-- The index of the column with the greatest of some numbers, if any is greater than 0.
local function greatest(head, number_of)
  local best, most = nil, 0
  for i, column in ipairs(head) do
    local n = number_of(i, column)
    if n > most then best, most = i, n end
  end
  return best
end

-- Makes columns narrower, the widest first, and where that is not enough leaves out the least important ones. Gives
-- the gap between them; the width of one that is left out is nil.
local function fit(head, widths, columns)
  local gap, natural = 2, { table.unpack(widths, 1, #head) }
  local function too_wide()
    local sum = -gap
    for i = 1, #head do sum = sum + (widths[i] and widths[i] + gap or 0) end
    return sum > columns
  end
  if too_wide() then gap = 1 end
  while too_wide() do
    local widest = greatest(head, function(i, column)
      return widths[i] and widths[i] > math.max(column.least, #column.title) and widths[i] or 0
    end)
    local last = not widest and greatest(head, function(i, column) return widths[i] and column.rank or 0 end)
    if widest then
      widths[widest] = widths[widest] - 1
    elseif last then
      for i in pairs(widths) do widths[i] = natural[i] end
      widths[last] = nil
    else
      break
    end
  end
  return gap
end

local LEAST = 6 -- characters

-- A table of `rows` (sequences of texts, nil for nothing) under a `head`, in lines of at most `columns` characters. The
-- head has a title for each column, or a table: `title`; `least`: it is never narrower than so many characters (6);
-- `keep`: "end" if of a long text the end is to be seen; `rank`: it may be left out where there is no room, the one of
-- the highest rank first.
return function(head, rows, columns)
  local all = {}
  for i, column in ipairs(head) do
    if type(column) == "string" then column = { title = column } end
    all[i] = { title = column.title, least = column.least or LEAST, keep = column.keep, rank = column.rank or 0 }
  end
  local widths = natural_widths(all, rows)
  local gap = (" "):rep(fit(all, widths, columns))
  local lines = {}
  for at = 0, #rows do
    local cells = {}
    for i, column in ipairs(all) do
      local text = at == 0 and column.title or at > 0 and rows[at][i] or ""
      if widths[i] then cells[#cells + 1] = cut(text, widths[i], column.keep) end
    end
    lines[#lines + 1] = (table.concat(cells, gap):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end
