local function check(v)
  if not v then
    error("check: expected a value", 2)
  end
end

check(1)
check(nil)
