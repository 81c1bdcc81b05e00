io.popen("true")
