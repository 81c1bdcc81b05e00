local response = http.get(env.get("SERVER") .. "/flaky/script")
assert.eq(response.status, 200)
