print("first")
error("at the end")