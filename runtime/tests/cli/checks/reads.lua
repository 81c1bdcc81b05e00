print(env.get("HOME"))
