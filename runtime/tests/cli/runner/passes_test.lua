local calls = {}

before_all(function() calls[#calls + 1] = "all" end)
before_each(function() calls[#calls + 1] = "each" end)

describe("a group", function()
  before_each(function() calls[#calls + 1] = "inner" end)
  after_each(function() calls[#calls + 1] = "after" end)
  it("runs its hooks in order", function()
    print("nobody sees this")
    assert.eq(calls, { "all", "each", "inner" })
  end)
  it.skip("is not run", function() error("never") end)
  it("waits for builtins", function()
    sleep(0)
    async.all { function() sleep(0) end }
  end)
end)

after_all(function() assert.eq(calls[4], "after") end)
