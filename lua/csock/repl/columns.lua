-- columns.lua: rows of texts under each other.

local NARROWEST = 6 -- characters

local function cut(text, width)
  local length = utf8.len(text) or #text
  if length <= width then return text .. (" "):rep(width - length) end
  local last = utf8.offset(text, width) or width
  return text:sub(1, last - 1) .. "…"
end

-- A table of `rows` (sequences of texts, nil for nothing) under a `head`, in lines of at most `columns` characters: the
-- widest column gives way.
return function(head, rows, columns)
  local widths, sum = {}, 0
  for i, title in ipairs(head) do
    widths[i] = #title
    for _, row in ipairs(rows) do widths[i] = math.max(widths[i], utf8.len(row[i] or "") or #row[i]) end
    sum = sum + widths[i] + 2
  end
  local gap = sum - 2 > columns and 1 or 2
  sum = sum - (2 - gap) * #head
  while sum - gap > columns do
    local widest = 1
    for i, width in ipairs(widths) do if width > widths[widest] then widest = i end end
    if widths[widest] <= NARROWEST then break end
    widths[widest], sum = widths[widest] - 1, sum - 1
  end
  local lines = {}
  for at = 0, #rows do
    local row, cells = rows[at] or head, {}
    for i = 1, #head do cells[i] = cut(row[i] or "", widths[i]) end
    lines[#lines + 1] = (table.concat(cells, (" "):rep(gap)):gsub("%s+$", ""))
  end
  return table.concat(lines, "\n")
end
