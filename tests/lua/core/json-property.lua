-- What is made at random comes back as it was, through text of each format and as itself. The seed is fixed: a failure comes
-- again, and says for which round.
global assert, ipairs, json, math, pairs, string, toml, yaml

math.randomseed(5, 11)
local alphabet = { "a", "Z", "0", " ", '"', "\\", "\n", "\t", "é", "🦀", ":", "#", "-", "~", "'", "{", "]", ",", "%", "=", "\u{7f}", "\u{85}", "\u{2028}" }

local function text()
  local out = {}
  for at = 1, math.random(0, 12) do
    out[at] = alphabet[math.random(#alphabet)]
  end
  return out
end

local function words()
  local out = ""
  for _, part in ipairs(text()) do
    out = out .. part
  end
  return out
end

local function scalar()
  local kind = math.random(7)
  if kind == 1 then return math.random(0) end
  if kind == 2 then return math.random(-100, 100) end
  if kind == 3 then return (math.random() - 0.5) * 10.0 ^ math.random(-300, 300) end
  if kind == 4 then return math.random(2) == 1 end
  if kind == 5 then return math.random(-1000, 1000) + 0.0 end
  return words()
end

local function value(depth)
  local kind = math.random(depth > 0 and 4 or 2)
  if kind <= 2 then return scalar() end
  local out = {}
  for at = 1, math.random(1, 5) do
    out[kind == 3 and at or words()] = value(depth - 1)
  end
  return out
end

for round = 1, 400 do
  local made = { list = { value(3) }, map = { one = value(4), [words()] = value(2) } }
  for name, format in pairs({ json = json, yaml = yaml, toml = toml }) do
    local encoded = format.encode(made)
    local parsed = format.parse(encoded)
    assert.eq(parsed, made, string.format("%s, round %d: %s", name, round, encoded))
    assert.eq(format.encode(parsed), encoded, string.format("%s, round %d", name, round))
  end
  assert.eq(json.parse(json.encode(made, { pretty = true })), made)
end
