-- trusted
-- args: --allow-read=$DIR/allowed
-- Behind a function that asks is one that does not: upvalues and the registry lead to it.
for _, name in ipairs({ "getupvalue", "setupvalue", "upvaluejoin", "upvalueid", "getregistry", "sethook", "setmetatable",
  "getmetatable", "getlocal", "setlocal", "setuservalue", "getuservalue" }) do
  assert(debug[name] == nil, name)
end
print("held")
