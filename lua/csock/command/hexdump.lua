-- hexdump.lua: bytes as people look at them.
local WIDTH = 16

-- Lines of 16 bytes: where they are, in hexadecimal, as text. `at`: where the first is (0).
return function(data, at)
  local lines = {}
  for i = 1, #data, WIDTH do
    local piece = data:sub(i, i + WIDTH - 1)
    local hex = piece:gsub(".", function(c) return ("%02x "):format(c:byte()) end)
    if #piece > WIDTH // 2 then hex = hex:sub(1, 3 * WIDTH // 2) .. " " .. hex:sub(3 * WIDTH // 2 + 1) end
    lines[#lines + 1] = ("%08x  %-" .. 3 * WIDTH + 1 .. "s |%s|"):format((at or 0) + i - 1, hex,
      (piece:gsub("[^ -~]", ".")))
  end
  return table.concat(lines, "\n")
end
