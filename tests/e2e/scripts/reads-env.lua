return env.get("PATH")
