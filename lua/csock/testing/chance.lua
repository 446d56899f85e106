-- chance.lua: random numbers that are the same ones for the same seed, whatever else draws some.
local Chance = {}
Chance.__index = Chance

-- Marsaglia's xorshift.
local function draw(self)
  local x = self.state
  x = x ~ (x << 13)
  x = x ~ (x >> 7)
  x = x ~ (x << 17)
  self.state = x
  return x
end

-- From 0 to below 1.
function Chance:number() return (draw(self) >> 11) * 0x1p-53 end

-- Whether something of this probability comes to pass.
function Chance:hits(probability) return probability > 0 and self:number() < probability end

-- A seed for others.
function Chance:seed() return draw(self) >> 33 end

return function(seed)
  local self = setmetatable({ state = (seed << 32 ~ 0x9e3779b97f4a7c15) | 1 }, Chance)
  for _ = 1, 8 do draw(self) end -- or seeds that are alike begin alike
  return self
end
