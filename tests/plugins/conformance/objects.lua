-- Objects, records, buffers and streams, from a plugin in C that counts what it has made: in the
-- end everything has come back to it.
global assert, collectgarbage, conformance, ipairs, pcall, string, tostring

local function use()
  local counter <const> = conformance.counter(40)
  assert.eq(counter:add(), 41)
  assert.eq(counter:add(1), 42)
  assert.eq(counter(), 43)
  assert.eq(#counter, 43)
  assert.eq(tostring(counter), "Counter(43)")
  assert.eq(counter.double, 86)
  assert.eq(counter.nothing, nil)
  assert.eq(counter:is_closed(), false)
  do
    local closing <close> = counter
  end
  assert.eq(counter:is_closed(), true)
  local ok, err = pcall(counter.add, counter, "x")
  assert.eq(ok, false)
  assert.contains(tostring(err), "argument 1: expected an integer")

  -- A method on something else's object raises; it reads nobody's memory.
  local keeper <const> = conformance.keep(pcall)
  assert.eq(keeper:get() == pcall, true)
  for _, wrong in ipairs { keeper, {}, "text", 7 } do
    ok, err = pcall(counter.add, wrong)
    assert.eq(ok, false)
    assert.contains(tostring(err), "conformance.Counter")
  end

  local point <const> = conformance.point(3, 4)
  assert.eq(point.x, 3)
  assert.eq(point:dot(point), 25)
  assert.eq(point:dot { x = 1, y = 1 }, 7)

  for _, len in ipairs { 0, 1, 255, 4096, 1 << 20 } do
    local bytes <const> = conformance.buffer(len)
    assert.eq(#bytes, len)
    if len > 0 then
      assert.eq(string.byte(bytes, len), (len - 1) % 256)
    end
  end

  local parts, stream = {}, conformance.stream(10000)
  for part in function() return stream:read(4096) end do
    parts[#parts + 1] = #part
  end
  assert.eq(parts, { 4096, 4096, 1808 })
  assert.eq(stream:read(1), nil)
end

use()
collectgarbage()
collectgarbage()
assert.eq(conformance.live(), 0)
