-- heap.lua: what is to come at a time, the earliest first. An entry is a table with a field `time`; of two for the same
-- time, the one that was put in first comes first. `place` and `order` are the heap's.
local Heap = {}
Heap.__index = Heap

local function earlier(a, b)
  return a.time < b.time or a.time == b.time and a.order < b.order
end

local function put(self, entry, place)
  self[place] = entry
  entry.place = place
end

-- An entry's time has changed: moves it up or down to where it belongs.
function Heap:sift(entry)
  local place = entry.place
  while place > 1 and earlier(entry, self[place // 2]) do
    put(self, self[place // 2], place)
    place = place // 2
  end
  while true do
    local child = 2 * place
    if self[child + 1] and earlier(self[child + 1], self[child]) then child = child + 1 end
    if not self[child] or earlier(entry, self[child]) then break end
    put(self, self[child], place)
    place = child
  end
  put(self, entry, place)
end

function Heap:put(entry)
  self.order = self.order + 1
  entry.order = self.order
  put(self, entry, #self + 1)
  self:sift(entry)
end

function Heap:remove(entry)
  local last = self[#self]
  self[#self] = nil
  if last ~= entry then
    put(self, last, entry.place)
    self:sift(last)
  end
  entry.place = nil
end

-- All entries, in the order in which they come.
function Heap:sorted()
  local entries = table.move(self, 1, #self, 1, {})
  table.sort(entries, earlier)
  return entries
end

-- A new one: its first entry is `heap[1]`.
return function() return setmetatable({ order = 0 }, Heap) end
