//! The other builtins that read text: patterns, times, base64, globs. Errors are fine, panics are not.

#![no_main]

use assay_fuzz::Lua;
use assay_plugin::Bytes;
use libfuzzer_sys::fuzz_target;

const SCRIPT: &str = r#"
local which, text, pattern = ...
local function try(f, ...)
  local fine, result = pcall(f, ...)
  if fine then return result end
  if type(result) == "table" and (result.kind == "panic" or result.kind == "internal") then error(result) end
end
if which == 0 then
  try(regex.match, text, pattern)
  try(regex.find, text, pattern)
  try(regex.find_all, text, pattern)
  try(regex.replace, text, pattern, text)
elseif which == 1 then
  local seconds = try(time.parse, text)
  if seconds then try(time.rfc3339, seconds) end
elseif which == 2 then
  local bytes = try(base64.decode, text)
  if bytes then assert.eq(base64.decode(base64.encode(bytes)), bytes) end
  local url = try(base64.url_decode, text)
  if url then assert.eq(base64.url_decode(base64.url_encode(url)), url) end
  assert.eq(base64.decode(base64.encode(text)), text)
elseif which == 3 then
  try(fs.glob, "/nowhere/" .. text)
elseif which == 4 then
  try(load, text, pattern, "t")
else
  try(string.format, "%s", tostring(text))
  try(assert.matches, text, pattern)
  try(assert.raises, function() error(text) end, pattern)
  try(assert.eq, text, pattern)
end
"#;

thread_local!(static LUA: Lua = Lua::new(SCRIPT));

fuzz_target!(|input: (u8, Vec<u8>, Vec<u8>)| {
    let (which, text, pattern) = input;
    LUA.with(|lua| lua.call((i64::from(which % 6), Bytes(text), Bytes(pattern))));
});
