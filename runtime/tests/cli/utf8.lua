local s = "grÃ¼n ÿ [31m"
error("tÃ¤t ÿ")
