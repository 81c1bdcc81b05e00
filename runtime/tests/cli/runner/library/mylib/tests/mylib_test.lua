local mylib = require("assay.mylib")
local helper = require("helper")

it("is found by its folder", function()
  assert.eq(mylib.answer, 42)
  assert.eq(mylib.parts, "of mylib")
  assert.eq(helper.name, "helper beside the test")
end)
