-- later.lua: the default of the method `callLater` that all have who go by time.
return function(self, seconds, f)
  return (self.clock or require "csock.reactor").callLater(seconds, f)
end
