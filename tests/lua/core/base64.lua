global assert, base64, string, table

-- Every byte survives, at every length.
local bytes = {}
for byte = 0, 255 do
  bytes[#bytes + 1] = string.char(byte)
end
local all = table.concat(bytes)
for length = 0, 256 do
  local data = all:sub(1, length)
  assert.eq(base64.decode(base64.encode(data)), data)
  assert.eq(base64.url_decode(base64.url_encode(data)), data)
end
assert.eq(base64.encode("\xfb\xff\xfe\xff"), "+//+/w==")
assert.eq(base64.url_encode("\xfb\xff\xfe\xff"), "-__-_w")
assert.eq(base64.decode("aGVs\r\n bG8=\n"), "hello")
