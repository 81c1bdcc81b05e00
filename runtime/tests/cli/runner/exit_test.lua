it("exits", function() os.exit(0) end)
it("comes after", function() end)
