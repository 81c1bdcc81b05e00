io.write("written\n")
io.stderr:write("an error\n")
os.execute("echo from a program")
