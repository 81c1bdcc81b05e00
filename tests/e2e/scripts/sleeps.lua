sleep(600)
