-- assay.openbao is assay.vault, function by function.
-- What is nil fails the test that reads it.
---@diagnostic disable: need-check-nil
local openbao = require("assay.openbao")
local testing = require("assay.testing")

describe("assay.openbao", function()
  it("talks as assay.vault does", function()
    local server = testing.server("vault")
    server:replay("kv2 read")
    assert.eq(openbao.client(server.url, "root-token"):kv_get("secret", "app/db").data.user, "admin")
    server:finish()
  end)

  it("is the same module", function()
    assert.eq(openbao == require("assay.vault"), true)
  end)
end)
