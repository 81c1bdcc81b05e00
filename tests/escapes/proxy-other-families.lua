-- Other families are there as proxies, or by another name.
for _, name in ipairs({ "db", "ws", "template", "crypto" }) do assert(_G[name] == nil, name) end
print("held")
