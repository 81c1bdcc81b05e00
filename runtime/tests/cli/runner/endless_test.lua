it("ends", function() while true do end end)
it("comes after", function() end)
