global assert, json, math, yaml

local pod = yaml.parse([[
apiVersion: v1 # comment
metadata:
  labels: {app: web, answer: no}
  annotations:
    1: one
    1.10: text
    on: keys keep their text
spec:
  replicas: 3
  ratio: 0.5
  mode: 0644
  big: 18446744073709551615
  none: ~
  command: []
  empty: {}
  script: |
    one
      two
]])
assert.eq(pod, {
  apiVersion = "v1",
  metadata = {
    labels = { app = "web", answer = "no" },
    annotations = { ["1"] = "one", ["1.10"] = "text", on = "keys keep their text" },
  },
  spec = {
    replicas = 3,
    ratio = 0.5,
    mode = "0644",
    big = "18446744073709551615",
    command = {},
    empty = {},
    script = "one\n  two\n",
  },
})
assert.eq(math.type(pod.spec.replicas), "integer")

-- A parsed empty sequence stays one, in every format.
assert.eq(json.encode(pod.spec.command), "[]")
assert.eq(json.encode(pod.spec.empty), "{}")
assert.eq(yaml.encode({ a = pod.spec.command, b = pod.spec.empty }), "a: []\nb: {}\n")
assert.eq(yaml.encode({ a = json.parse("[]") }), "a: []\n")

-- Nulls.
assert.eq(yaml.parse("a: null"), {})
assert.eq(yaml.parse("a: null", { null = true }).a, json.null)
assert.eq(yaml.encode({ a = json.null }), "a: null\n")

-- An empty text is nothing.
assert.eq(yaml.parse(""), nil)
