local function deeper(name)
  assert.eq(name, "expected\27[2J", "names")
end
deeper("found")
