//! `toml.parse`, and that encoding what was parsed changes nothing.

#![no_main]

use assay_fuzz::Lua;
use assay_plugin::Bytes;
use libfuzzer_sys::fuzz_target;

const SCRIPT: &str = r#"
local text = ...
local parsed, value = pcall(toml.parse, text)
if not parsed then
  if value.kind ~= "syntax" and value.kind ~= "argument" then error(value) end
  return
end
local once = toml.encode(value)
local twice = toml.encode(toml.parse(once))
if twice ~= once then error(("%q became %q"):format(once, twice)) end
"#;

thread_local!(static LUA: Lua = Lua::new(SCRIPT));

fuzz_target!(|data: &[u8]| {
    LUA.with(|lua| lua.call((Bytes(data.to_vec()),)));
});
