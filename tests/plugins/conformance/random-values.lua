-- Values made at random come back from a plugin as they were: types of numbers, bits of floats, bytes, keys of
-- every kind, holes, shapes of what is empty. The seed is fixed and printed; another one is the argument.
-- stdout: seed 511
global arg, assert, conformance, error, json, math, next, pairs, print, rawget, string, table, tostring, type

local echo <const> = conformance.echo
local seed <const> = math.tointeger(arg[1]) or 511
math.randomseed(seed)
print("seed " .. seed)

local counter <const> = conformance.counter(1)
local function own() end

local EDGES <const> = {
  0, -1, 1 << 31, -(1 << 31), 1 << 53, (1 << 53) + 1, math.mininteger, math.maxinteger,
  0.0, -0.0, 1.0, 0.1, 2.0 ^ 53, 2.0 ^ 63, -2.0 ^ 63, 5e-324, 1.7976931348623157e308, 1 / 0, -1 / 0,
  true, false, "", "\0", "\xff\xfe", "é🦀", json.null, own,
}

local function bytes()
  local out = {}
  for at = 1, math.random(0, 20) do
    out[at] = string.char(math.random(0, 255))
  end
  return string.rep(table.concat(out), math.random(40) == 1 and 1000 or 1)
end

local function scalar()
  local kind = math.random(5)
  if kind == 1 then
    return EDGES[math.random(#EDGES)]
  elseif kind == 2 then
    return math.random(0)
  elseif kind == 3 then
    return (math.random() - 0.5) * 2.0 ^ math.random(-1000, 1000)
  elseif kind == 4 then
    return math.random(-10, 10)
  end
  return bytes()
end

local function key()
  local made = scalar()
  -- Identity of null and functions as keys is no promise.
  return (made == json.null or made == own) and "key" or made
end

local value

local FILLS <const> = {
  function(out, depth) -- a list
    for at = 1, math.random(0, 20) do
      out[at] = value(depth)
    end
  end,
  function(out, depth) -- a list, filled from its end: all of it in the hash part
    for at = math.random(0, 20), 1, -1 do
      out[at] = value(depth)
    end
  end,
  function(out, depth) -- a list with holes
    for at = 1, math.random(0, 20) do
      out[at] = value(depth)
    end
    for _ = 1, math.random(0, 5) do
      out[math.random(20)] = nil
    end
  end,
  function(out, depth) -- a map
    for _ = 1, math.random(0, 10) do
      out[key()] = value(depth)
    end
  end,
  function(out, depth) -- both
    for at = 1, math.random(0, 5) do
      out[at] = value(depth)
    end
    for _ = 1, math.random(0, 5) do
      out[key()] = value(depth)
    end
  end,
}

function value(depth)
  if depth == 0 or math.random(3) == 1 then
    return scalar()
  end
  local out = {}
  local mark = math.random(12)
  if mark == 1 then
    return json.array(out)
  elseif mark == 2 then
    return json.object(out)
  end
  FILLS[math.random(#FILLS)](out, depth - 1)
  return out
end

---The place of the first difference.
local function difference(made, got, place)
  if type(made) ~= "table" then
    local same = type(made) == type(got) and math.type(made) == math.type(got) and made == got
    if same and math.type(made) == "float" then
      same = string.pack("n", made) == string.pack("n", got)
    end
    return not same and place or nil
  elseif type(got) ~= "table" then
    return place
  end
  for at, item in pairs(made) do
    local where = difference(item, rawget(got, at), place .. "[" .. tostring(at) .. "]")
    if where then
      return where
    end
  end
  for at in pairs(got) do
    if rawget(made, at) == nil then
      return place .. "[" .. tostring(at) .. "]"
    end
  end
  -- What is empty is `[]` or `{}` by its mark alone.
  if next(made) == nil and json.encode(made) ~= json.encode(got) then
    return place
  end
  return nil
end

for round = 1, 200 do
  local made = value(3)
  local where = difference(made, echo(made), "value")
  if where then
    error(string.format("seed %d, round %d: `%s` came back as something else", seed, round, where))
  end
end

-- Beside each other, by position, nils among them.
for round = 1, 200 do
  local made = {}
  for at = 1, 8 do
    made[at] = math.random(3) > 1 and value(2) or nil
  end
  local tags = conformance.tags(made[1], made[2], made[3], made[4], made[5], made[6], made[7], made[8])
  for at = 1, 8 do
    assert.eq(tags[at] == 0, made[at] == nil, string.format("seed %d, round %d: argument %d", seed, round, at))
  end
end
