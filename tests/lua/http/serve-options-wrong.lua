-- Numbers that make no sense.
global assert, http, ipairs, pcall, tostring

for _, case in ipairs({
  { { workers = 0 }, "option `workers`: expected an integer from 1 to 256, got 0" },
  { { workers = 257 }, "option `workers`: expected an integer from 1 to 256, got 257" },
  { { workers = -1 }, "option `workers`" },
  { { max_connections = 0 }, "option `max_connections`: expected an integer from 1, got 0" },
  { { idle_timeout = 0 }, "option `idle_timeout`: expected seconds above 0" },
  { { header_timeout = 0 / 0 }, "option `header_timeout`: expected seconds above 0" },
  { { access_log = "yes" }, "option `access_log`" },
}) do
  local ok, err = pcall(http.serve, 0, {}, case[1])
  assert.eq(ok, false, case[2])
  assert.contains(tostring(err), case[2])
end
