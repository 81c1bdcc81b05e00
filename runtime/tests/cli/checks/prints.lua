print("printed in", env.get("MODE"))
