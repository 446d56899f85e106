local class = require "csock.class"

local function names(list)
  local result = {}
  for i, c in ipairs(list) do result[i] = c.__name end
  return table.concat(result, " ")
end

describe("csock.class", function()
  local Animal, Dog

  before_each(function()
    Animal = class("Animal")
    function Animal:__init(name) self.name = name end
    function Animal:speak() return self.name .. " says " .. self.sound() end
    Dog = class("Dog", Animal)
    function Dog.sound() return "woof" end
  end)

  describe("making objects", function()
    it("calls __init with the arguments of the class", function()
      assert.equal("Rex", Animal("Rex").name)
    end)

    it("finds __init in an ancestor", function()
      assert.equal("Rex says woof", Dog("Rex"):speak())
    end)

    it("needs no __init", function()
      assert.is_table(class("Empty")())
    end)

    it("gives nil and the error when __init refuses", function()
      local Refusing = class("Refusing")
      function Refusing.__init() return nil, "no", 5 end
      assert.same({ nil, "no", 5 }, { Refusing() })
    end)

    it("does not mind what else __init returns", function()
      for _, results in ipairs { {}, { nil }, { true }, { false }, { "a", "b" } } do
        local Talkative = class("Talkative")
        function Talkative.__init() return table.unpack(results) end
        assert.is_table(Talkative())
      end
    end)

    it("makes objects of what __new gives, those of descendants too", function()
      function Animal.__new() return { age = 0 } end
      local dog = Dog "Rex"
      assert.same({ 0, "Rex" }, { dog.age, dog.name })
      assert.is_false(rawequal(dog, Dog "Rex"))
    end)

    it("makes one of a table that is there, whose fields stay", function()
      local given = { age = 3 }
      local dog = class.adopt(Dog, given, "Rex")
      assert.equal(given, dog)
      assert.equal(3, dog.age)
      assert.equal("Rex says woof", dog:speak())
      local Refusing = class("Refusing")
      function Refusing.__init() return nil, "no", 5 end
      assert.same({ nil, "no", 5 }, { class.adopt(Refusing, {}) })
      assert.error_matches(function() class.adopt({}, {}) end, "class expected, got table")
      assert.error_matches(function() class.adopt(Dog) end, "table expected, got nil")
    end)

    it("works where __init waits, in a task", function()
      local csock = require "csock"
      local Sleeper = class("Sleeper")
      function Sleeper:__init() csock.sleep(0); self.awake = true end
      assert.is_true(csock.run(function() return Sleeper().awake end))
    end)
  end)

  describe("looking up", function()
    it("prefers the object's own field, then its class's, then the ancestors'", function()
      Animal.legs, Animal.tail, Dog.legs = 0, 1, 4
      local dog = Dog("Rex")
      assert.same({ 4, 1, nil }, { dog.legs, dog.tail, dog.wings })
      dog.legs = 3
      assert.equal(3, dog.legs)
      assert.equal(4, Dog.legs)
      assert.equal(1, Dog.tail)
    end)

    it("keeps false as a value", function()
      Animal.flag, Dog.flag = true, false
      assert.is_false(Dog("Rex").flag)
    end)

    it("sees a method that is redefined, on objects that exist already", function()
      local dog = Dog("Rex")
      function Dog.sound() return "wuff" end
      assert.equal("Rex says wuff", dog:speak())
      function Animal:speak() return "silence from " .. self.name end
      assert.equal("silence from Rex", dog:speak())
    end)

    it("sees a method that comes or goes between a class and its ancestor", function()
      local Puppy = class("Puppy", Dog)
      local puppy = Puppy("Rex")
      function Animal.where() return "Animal" end
      assert.equal("Animal", puppy.where())
      function Dog.where() return "Dog" end
      assert.equal("Dog", puppy.where())
      function Animal.where() return "Animal again" end
      assert.equal("Dog", puppy.where())
      Dog.where = nil
      assert.equal("Animal again", puppy.where())
      Animal.where = nil
      assert.is_nil(puppy.where)
    end)

    it("sees a metamethod that is redefined", function()
      local dog = Dog("Rex")
      function Animal:__tostring() return self.name end
      assert.equal("Rex", tostring(dog))
      function Dog:__tostring() return "dog " .. self.name end
      assert.equal("dog Rex", tostring(dog))
      Dog.__tostring = nil
      assert.equal("Rex", tostring(dog))
    end)

    it("does not see another class's fields", function()
      local Cat = class("Cat", Animal)
      Dog.bone = true
      assert.is_nil(Cat("Tom").bone)
      assert.is_nil(Animal.bone)
    end)

    it("lets a class be collected that nobody has any more", function()
      local seen = setmetatable({}, { __mode = "k" })
      do seen[class("Shortlived", Animal)] = true end
      collectgarbage()
      collectgarbage()
      assert.is_nil(next(seen))
    end)
  end)

  describe("metamethods", function()
    it("are inherited", function()
      local closed = {}
      function Animal:__len() return #self.name end
      function Animal:__call(mark) return self.name .. mark end
      function Animal.__eq(a, b) return a.name == b.name end
      function Animal:__close() closed[#closed + 1] = self.name end
      do
        local dog <close> = Dog("Rex")
        assert.equal(3, #dog)
        assert.equal("Rex!", dog("!"))
        assert.is_true(dog == Dog("Rex"))
      end
      assert.same({ "Rex" }, closed)
    end)

    it("finalize objects, as they are defined at the end", function()
      local log = {}
      function Animal.__gc() log[#log + 1] = "old" end
      do local _ = Dog("Rex") end
      function Animal:__gc() log[#log + 1] = self.name end
      collectgarbage()
      assert.same({ "Rex" }, log)
      Animal.__gc = nil
    end)

    it("ask __index for what is found nowhere else", function()
      function Animal.__index(_, key) return "no " .. tostring(key) end
      local dog = Dog("Rex")
      assert.same({ "Rex", "Rex says woof", "no wings" }, { dog.name, dog:speak(), dog.wings })
      Dog.__index = { wings = 2 }
      assert.same({ "Rex says woof", 2 }, { dog:speak(), dog.wings })
      Dog.__index = nil
      assert.equal("no wings", dog.wings)
    end)
  end)

  describe("the order of resolution", function()
    it("is the class and its ancestors, up to Object", function()
      assert.same({ Dog, Animal, class.Object }, Dog.__mro)
      assert.same({ Animal }, Dog.__bases)
      assert.same({ class.Object }, Animal.__bases)
    end)

    it("has the common ancestor of a diamond once, behind both parents", function()
      local A = class("A")
      local B, C = class("B", A), class("C", A)
      assert.equal("D B C A Object", names(class("D", B, C).__mro))
      function A.who() return "A" end
      function C.who() return "C" end
      assert.equal("C", class("D", B, C)().who())
    end)

    -- The examples of "The Python 2.3 Method Resolution Order".
    it("is Python's", function()
      local O = {}
      for _, name in ipairs { "A", "B", "C", "D", "E", "F" } do O[name] = class(name) end
      local K1, K2, K3 = class("K1", O.A, O.B, O.C), class("K2", O.D, O.B, O.E), class("K3", O.D, O.A)
      assert.equal("Z K1 K2 K3 D A B C E Object", names(class("Z", K1, K2, K3).__mro))
      local B, C = class("B", O.D, O.E), class("C", O.D, O.F)
      assert.equal("A B C D E F Object", names(class("A", B, C).__mro))
      local B2, C2 = class("B", O.E, O.D), class("C", O.D, O.F)
      assert.equal("A B E C D F Object", names(class("A", B2, C2).__mro))
    end)

    it("raises where there is none, naming the classes", function()
      local X, Y = class("X"), class("Y")
      local A, B = class("A", X, Y), class("B", Y, X)
      local ok, err = pcall(function() class("Z", A, B) end)
      assert.is_false(ok)
      assert.matches("^spec/csock/class_spec.lua:%d+: class 'Z': there is no order of resolution for the "
        .. "parents A, B$", err)
      assert.error_matches(function() class("Z", class.Object, X) end, "for the parents Object, X")
    end)
  end)

  describe("super", function()
    it("calls the parent's method", function()
      function Dog:speak(mark) return Dog.super.speak(self) .. mark end
      assert.equal("Rex says woof!", Dog("Rex"):speak("!"))
    end)

    it("passes on arguments and results", function()
      function Animal.echo(_, ...) return select("#", ...), ... end
      function Dog:echo(...) return Dog.super.echo(self, ...) end
      assert.same({ 3, nil, 2, nil }, { Dog("Rex"):echo(nil, 2, nil) })
    end)

    it("follows the order of the object's class, so that each of several parents has its turn", function()
      local Base = class("Base")
      function Base.__init(_, log) log[#log + 1] = "Base" end
      local Left, Right = class("Left", Base), class("Right", Base)
      function Left:__init(log) log[#log + 1] = "Left"; Left.super.__init(self, log) end
      function Right:__init(log) log[#log + 1] = "Right"; Right.super.__init(self, log) end
      local log = {}
      class("Both", Left, Right)(log)
      assert.same({ "Left", "Right", "Base" }, log)
    end)

    it("sees a parent's method that is redefined", function()
      function Dog:speak() return Dog.super.speak(self) end
      local dog = Dog("Rex")
      assert.equal("Rex says woof", dog:speak())
      function Animal.speak() return "hm" end
      assert.equal("hm", dog:speak())
    end)

    it("says what is missing", function()
      function Dog:fly() return Dog.super.fly(self) end
      assert.error_matches(function() Dog("Rex"):fly() end, "no method 'fly' after Dog in the order of Dog")
      for _, wrong in ipairs { 1, {}, Animal("Tom"), false } do
        assert.error_matches(function() Dog.super.speak(wrong) end, "Dog.super.speak: a Dog expected")
      end
    end)
  end)

  describe("isinstance and issubclass", function()
    it("know all ancestors", function()
      local dog = Dog("Rex")
      assert.is_true(class.isinstance(dog, Dog))
      assert.is_true(class.isinstance(dog, Animal))
      assert.is_true(class.isinstance(dog, class.Object))
      assert.is_false(class.isinstance(Animal("Tom"), Dog))
      assert.is_true(class.issubclass(Dog, Animal))
      assert.is_true(class.issubclass(Dog, Dog))
      assert.is_false(class.issubclass(Animal, Dog))
    end)

    it("take several classes", function()
      assert.is_true(class.isinstance(Dog("Rex"), class("Cat"), Dog))
      assert.is_false(class.issubclass(Dog, class("Cat"), class("Bird")))
    end)

    it("know what is no object", function()
      for _, value in ipairs { 1, "x", {}, io.stdout, Dog, setmetatable({}, {}), print } do
        assert.is_false(class.isinstance(value, Dog))
      end
      assert.is_false(class.isinstance(nil, Dog))
    end)

    it("ask a value that is no object for nothing", function()
      local strict = setmetatable({}, { __index = function(_, key) error("no field " .. key) end })
      assert.is_false(class.isinstance(setmetatable({}, strict), Dog))
      assert.is_false(class.isinstance(setmetatable({}, setmetatable({}, strict)), Dog))
      assert.is_false(class.isinstance(setmetatable({}, Dog), Dog)) -- a class is no metatable
      assert.is_false(class.isinstance(setmetatable({}, { __metatable = "locked" }), Dog))
    end)

    it("refuse what is no class, whatever the value is", function()
      for _, value in ipairs { Dog("Rex"), 5, Dog } do
        assert.error_matches(function() class.isinstance(value, {}) end,
          "^bad argument #2 to 'isinstance' %(class expected, got table%)$")
        assert.error_matches(function() class.isinstance(value, Dog, nil) end,
          "bad argument #3 to 'isinstance' %(class expected, got nil%)$")
        assert.error_matches(function() class.isinstance(value) end,
          "bad argument #2 to 'isinstance' %(class expected, got no value%)$")
      end
      assert.error_matches(function() class.issubclass(Dog, Dog, "Dog") end,
        "^bad argument #3 to 'issubclass' %(class expected, got string%)$")
      assert.error_matches(function() class.issubclass({}, Dog) end, "bad argument #1 to 'issubclass'")
    end)

    it("tell a class from other values", function()
      assert.is_true(class.isclass(Dog))
      assert.is_false(class.isclass(Dog("Rex")))
      assert.is_false(class.isclass(nil))
    end)
  end)

  it("makes text that reads well", function()
    assert.equal("<class Dog>", tostring(Dog))
    assert.matches("^<Dog object at 0x%x+>$", tostring(Dog("Rex")))
    assert.equal("<super of Dog>", tostring(Dog.super))
  end)

  it("shows a class's own fields to pairs", function()
    local found = {}
    for name in pairs(Dog) do found[name] = true end
    assert.is_true(found.sound)
    assert.is_nil(found.speak)
  end)

  it("refuses a name that is none, and parents that are no classes", function()
    assert.error_matches(function() class() end, "bad argument #1 to 'class' %(string expected, got nil%)")
    assert.error_matches(function() class("Cat", nil) end,
      "bad argument #2 to 'class' %(parent 1 of 'Cat': class expected, got nil%)")
    assert.error_matches(function() class("Cat", Animal, {}) end, "parent 2 of 'Cat': class expected, got table")
    assert.error_matches(function() class("Cat", Animal, Animal) end, "the parent Animal is named twice")
  end)
end)
