//! What of transactions needs no Lua function; `tests/lua/db` has the rest.

use libtest_mimic::Trial;

pub fn cases() -> Vec<Trial> {
    Vec::new()
}
