describe("broken", function()
  it("", function() end)
end)
