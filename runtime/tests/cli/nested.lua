local function inner()
	local t = {}
	return t.a.b
end

local function outer()
	local x = inner()
	return x
end

outer()
