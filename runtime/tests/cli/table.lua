local function check(code)
  error({ code = code, list = { 1, 2 } })
end

check(42)
