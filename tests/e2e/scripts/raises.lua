local function order()
  print("ordering")
  error("the order was refused")
end
order()
