//! `yaml.parse_all`, and that encoding what was parsed changes nothing.

#![no_main]

use assay_fuzz::Lua;
use assay_plugin::Bytes;
use libfuzzer_sys::fuzz_target;

const SCRIPT: &str = r#"
local text = ...
local parsed, documents = pcall(yaml.parse_all, text, { null = true })
if not parsed then
  if documents.kind ~= "syntax" and documents.kind ~= "argument" and documents.kind ~= "memory" then error(documents) end
  return
end
for _, document in ipairs(documents) do
  local once = yaml.encode(document)
  local again = yaml.parse(once, { null = true })
  local twice = yaml.encode(again)
  if twice ~= once then error(("%q became %q"):format(once, twice)) end
end
"#;

thread_local!(static LUA: Lua = Lua::new(SCRIPT));

fuzz_target!(|data: &[u8]| {
    LUA.with(|lua| lua.call((Bytes(data.to_vec()),)));
});
