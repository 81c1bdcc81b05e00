//! Functions of Lua's library whose own versions can run for hours in C, where no hook reaches them:
//! for scripts that have a limit of time.
//!
//! They do what the manual says of `string` and `table`, and look now and then whether to stop.

use std::ffi::{CStr, c_char, c_int};

use super::pattern::{Capture, Failure, Matcher, is_plain};
use super::{ffi, lua_State};

const STRING: &[(&CStr, ffi::lua_CFunction)] = &[
    (c"find", find),
    (c"match", match_),
    (c"gmatch", gmatch),
    (c"gsub", gsub),
];

const TABLE: &[(&CStr, ffi::lua_CFunction)] = &[
    (c"concat", concat),
    (c"insert", insert),
    (c"move", move_),
    (c"remove", remove),
    (c"sort", sort),
];

/// Puts them in place of Lua's. Raises on lack of memory; owns nothing.
///
/// # Safety
/// Called protected, on a fresh state.
pub(crate) unsafe fn install(state: *mut lua_State) {
    for (table, functions) in [(c"string", STRING), (c"table", TABLE)] {
        // SAFETY: the caller's promise.
        unsafe {
            ffi::lua_getglobal(state, table.as_ptr());
            for (name, function) in functions {
                ffi::lua_pushcfunction(state, *function);
                ffi::lua_setfield(state, -2, name.as_ptr());
            }
            ffi::lua_pop(state, 1);
        }
    }
}

/// Whether the VM of this state is to stop.
///
/// # Safety
/// An open state with room for a value.
unsafe fn stops(state: *mut lua_State) -> bool {
    // SAFETY: the caller's promise.
    unsafe { crate::vm::of(state).wants_stop() }
}

/// Ends the function; the hook then ends the script.
unsafe fn stop(state: *mut lua_State) -> ! {
    // SAFETY: called in a function that Lua called and that owns nothing.
    unsafe {
        crate::vm::stop_now(state);
        raise(state, b"the script was asked to end")
    }
}

/// Raises a text with the place of the call.
unsafe fn raise(state: *mut lua_State, message: &[u8]) -> ! {
    // SAFETY: called in a function that Lua called and that owns nothing.
    unsafe {
        ffi::luaL_where(state, 1);
        ffi::lua_pushlstring(state, message.as_ptr().cast(), message.len());
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

/// Counts the turns of a loop; looks whether to stop now and then.
struct Turns(u32);

impl Turns {
    unsafe fn next(&mut self, state: *mut lua_State) {
        self.0 += 1;
        if self.0.is_multiple_of(1 << 10) {
            // SAFETY: called in a function that Lua called and that owns nothing.
            unsafe {
                if stops(state) {
                    stop(state);
                }
            }
        }
    }
}

// ---- string ----

/// A string argument, which stays on the stack. Raises.
unsafe fn text<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: called by Lua.
    unsafe {
        let bytes = ffi::luaL_checklstring(state, index, &mut len);
        std::slice::from_raw_parts(bytes.cast(), len)
    }
}

/// Where an optional argument has a search begin, counted from 0. Raises.
unsafe fn beginning(state: *mut lua_State, index: c_int, len: usize) -> usize {
    // SAFETY: called by Lua.
    let given = unsafe { ffi::luaL_optinteger(state, index, 1) };
    match usize::try_from(given) {
        Ok(0) => 0,
        Ok(place) => place - 1,
        Err(_) => len.saturating_sub(usize::try_from(given.unsigned_abs()).unwrap_or(usize::MAX)),
    }
}

unsafe fn fail(state: *mut lua_State, failure: Failure) -> ! {
    // SAFETY: called in a function that Lua called and that owns nothing; the messages are statics.
    unsafe {
        match failure {
            Failure::Pattern(message) => raise(state, message.as_bytes()),
            Failure::Capture(number) => {
                ffi::luaL_where(state, 1);
                let message = c"invalid capture index %%%d".as_ptr();
                ffi::lua_pushfstring(state, message, number as c_int);
                ffi::lua_concat(state, 2);
                ffi::lua_error(state)
            }
            Failure::Stopped => stop(state),
        }
    }
}

unsafe fn or_fail<T>(state: *mut lua_State, result: Result<T, Failure>) -> T {
    match result {
        Ok(value) => value,
        // SAFETY: the caller's; `T` is plain.
        Err(failure) => unsafe { fail(state, failure) },
    }
}

unsafe fn push_capture(state: *mut lua_State, text: &[u8], capture: Capture) {
    // SAFETY: the caller has room for it.
    unsafe {
        match capture {
            Capture::Span(start, end) => {
                ffi::lua_pushlstring(state, text[start..end].as_ptr().cast(), end - start);
            }
            Capture::Position(at) | Capture::Open(at) => {
                ffi::lua_pushinteger(state, at as ffi::lua_Integer + 1);
            }
        }
    }
}

/// Pushes what was captured, or the whole match; how many.
unsafe fn push_captures<S: Fn() -> bool>(
    state: *mut lua_State,
    matcher: &Matcher<'_, S>,
    text: &[u8],
    (start, end): (usize, usize),
    whole: bool,
) -> c_int {
    let count = matcher.count(whole);
    // SAFETY: called in a function that Lua called and that owns nothing.
    unsafe {
        ffi::luaL_checkstack(state, count as c_int + 1, c"too many captures".as_ptr());
        for index in 0..count {
            let capture = or_fail(state, matcher.capture(index, start, end));
            push_capture(state, text, capture);
        }
    }
    count as c_int
}

unsafe extern "C-unwind" fn find(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { search(state, true) }
}

unsafe extern "C-unwind" fn match_(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe { search(state, false) }
}

unsafe fn search(state: *mut lua_State, finds: bool) -> c_int {
    // SAFETY: called by Lua; nothing here needs to be dropped.
    unsafe {
        let (text, pattern) = (text(state, 1), text(state, 2));
        let start = beginning(state, 3, text.len());
        if start > text.len() {
            ffi::lua_pushnil(state);
            return 1;
        }
        let asks = || stops(state);
        let push_place = |start: usize, end: usize| {
            ffi::lua_pushinteger(state, start as ffi::lua_Integer + 1);
            ffi::lua_pushinteger(state, end as ffi::lua_Integer);
        };
        if finds && (ffi::lua_toboolean(state, 4) != 0 || is_plain(pattern)) {
            let mut matcher = Matcher::new(text, &[], asks);
            return match or_fail(state, matcher.find_plain(pattern, start)) {
                Some(at) => {
                    push_place(at, at + pattern.len());
                    2
                }
                None => {
                    ffi::lua_pushnil(state);
                    1
                }
            };
        }
        let (pattern, anchored) = unanchored(pattern);
        let mut matcher = Matcher::new(text, pattern, asks);
        for at in start..=text.len() {
            if let Some(end) = or_fail(state, matcher.matches_at(at)) {
                if finds {
                    push_place(at, end);
                    return 2 + push_captures(state, &matcher, text, (at, end), false);
                }
                return push_captures(state, &matcher, text, (at, end), true);
            }
            if anchored {
                break;
            }
        }
        ffi::lua_pushnil(state);
    }
    1
}

fn unanchored(pattern: &[u8]) -> (&[u8], bool) {
    match pattern.strip_prefix(b"^") {
        Some(rest) => (rest, true),
        None => (pattern, false),
    }
}

unsafe extern "C-unwind" fn gmatch(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let length = text(state, 1).len();
        text(state, 2);
        let start = beginning(state, 3, length).min(length + 1);
        ffi::lua_settop(state, 2);
        ffi::lua_pushinteger(state, start as ffi::lua_Integer);
        ffi::lua_pushinteger(state, -1);
        ffi::lua_pushcclosure(state, gmatch_next, 4);
    }
    1
}

/// Upvalues: the text, the pattern, where to go on, where the last match ended.
unsafe extern "C-unwind" fn gmatch_next(state: *mut lua_State) -> c_int {
    // SAFETY: a closure of `gmatch`, called by Lua.
    unsafe {
        let upvalue = |index| ffi::lua_upvalueindex(index);
        let (text, pattern) = (text(state, upvalue(1)), text(state, upvalue(2)));
        let number = |index| ffi::lua_tointegerx(state, upvalue(index), std::ptr::null_mut());
        let start = usize::try_from(number(3)).unwrap_or(usize::MAX);
        let last = usize::try_from(number(4)).ok();
        let mut matcher = Matcher::new(text, pattern, || stops(state));
        for at in start..=text.len() {
            let found = or_fail(state, matcher.matches_at(at));
            if let Some(end) = found.filter(|&end| Some(end) != last) {
                for index in [3, 4] {
                    ffi::lua_pushinteger(state, end as ffi::lua_Integer);
                    ffi::lua_replace(state, upvalue(index));
                }
                return push_captures(state, &matcher, text, (at, end), true);
            }
        }
    }
    0
}

unsafe extern "C-unwind" fn gsub(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua; the buffer is Lua's, and is given up by whoever leaves by an error.
    unsafe {
        let (text, pattern) = (text(state, 1), text(state, 2));
        let kind = ffi::lua_type(state, 3);
        let most = ffi::luaL_optinteger(state, 4, text.len() as ffi::lua_Integer + 1);
        if !matches!(
            kind,
            ffi::LUA_TNUMBER | ffi::LUA_TSTRING | ffi::LUA_TFUNCTION | ffi::LUA_TTABLE
        ) {
            let name = match ffi::luaL_getmetafield(state, 3, c"__name".as_ptr()) {
                ffi::LUA_TSTRING => ffi::lua_tostring(state, -1),
                _ => ffi::lua_typename(state, kind),
            };
            let message = ffi::lua_pushfstring(
                state,
                c"string/function/table expected, got %s".as_ptr(),
                if kind == ffi::LUA_TNONE {
                    c"no value".as_ptr()
                } else {
                    name
                },
            );
            return ffi::luaL_argerror(state, 3, message);
        }
        let (pattern, anchored) = unanchored(pattern);
        let mut buffer = std::mem::MaybeUninit::<ffi::luaL_Buffer>::uninit();
        let buffer = buffer.as_mut_ptr();
        ffi::luaL_buffinit(state, buffer);
        let mut matcher = Matcher::new(text, pattern, || stops(state));
        let (mut at, mut last, mut count, mut changed) = (0, None, 0, false);
        // What is left as it is goes out in one piece.
        let mut kept = 0;
        while count < most {
            let found = or_fail(state, matcher.matches_at(at));
            if let Some(end) = found.filter(|&end| Some(end) != last) {
                count += 1;
                ffi::luaL_addlstring(buffer, text[kept..at].as_ptr().cast(), at - kept);
                changed |= replace(state, buffer, &matcher, text, (at, end), kind);
                at = end;
                kept = end;
                last = Some(end);
            } else if at < text.len() {
                at += 1;
            } else {
                break;
            }
            if anchored {
                break;
            }
        }
        if changed {
            ffi::luaL_addlstring(buffer, text[kept..].as_ptr().cast(), text.len() - kept);
            ffi::luaL_pushresult(buffer);
        } else {
            ffi::lua_pushvalue(state, 1);
        }
        ffi::lua_pushinteger(state, count);
    }
    2
}

/// Adds what a match is replaced by. Whether it is another text.
unsafe fn replace<S: Fn() -> bool>(
    state: *mut lua_State,
    buffer: *mut ffi::luaL_Buffer,
    matcher: &Matcher<'_, S>,
    text: &[u8],
    (start, end): (usize, usize),
    kind: c_int,
) -> bool {
    // SAFETY: as `gsub`'s.
    unsafe {
        match kind {
            ffi::LUA_TFUNCTION => {
                ffi::lua_pushvalue(state, 3);
                let count = push_captures(state, matcher, text, (start, end), true);
                ffi::lua_call(state, count, 1);
            }
            ffi::LUA_TTABLE => {
                let first = or_fail(state, matcher.capture(0, start, end));
                push_capture(state, text, first);
                ffi::lua_gettable(state, 3);
            }
            _ => {
                expand(state, buffer, matcher, text, (start, end));
                return true;
            }
        }
        if ffi::lua_toboolean(state, -1) == 0 {
            ffi::lua_pop(state, 1);
            ffi::luaL_addlstring(buffer, text[start..end].as_ptr().cast(), end - start);
            return false;
        }
        if ffi::lua_isstring(state, -1) == 0 {
            ffi::luaL_error(
                state,
                c"invalid replacement value (a %s)".as_ptr(),
                ffi::lua_typename(state, ffi::lua_type(state, -1)),
            );
        }
        ffi::luaL_addvalue(buffer);
        true
    }
}

/// Adds a replacement text, with `%1` and the like filled in.
unsafe fn expand<S: Fn() -> bool>(
    state: *mut lua_State,
    buffer: *mut ffi::luaL_Buffer,
    matcher: &Matcher<'_, S>,
    text: &[u8],
    (start, end): (usize, usize),
) {
    // SAFETY: as `gsub`'s; a number at 3 becomes a string in place.
    unsafe {
        let add = |part: &[u8]| ffi::luaL_addlstring(buffer, part.as_ptr().cast(), part.len());
        let mut len = 0;
        let template = ffi::lua_tolstring(state, 3, &mut len);
        let mut template: &[u8] = std::slice::from_raw_parts(template.cast(), len);
        while let Some(escape) = template.iter().position(|&byte| byte == b'%') {
            add(&template[..escape]);
            match template.get(escape + 1) {
                Some(b'%') => add(b"%"),
                Some(b'0') => add(&text[start..end]),
                Some(digit @ b'1'..=b'9') => {
                    let index = usize::from(digit - b'1');
                    match or_fail(state, matcher.capture(index, start, end)) {
                        Capture::Span(from, to) => add(&text[from..to]),
                        place => {
                            push_capture(state, text, place);
                            ffi::luaL_addvalue(buffer);
                        }
                    }
                }
                _ => fail(
                    state,
                    Failure::Pattern("invalid use of '%' in replacement string"),
                ),
            }
            template = &template[escape + 2..];
        }
        add(template);
    }
}

// ---- table ----

/// The length of the table at 1. Raises.
unsafe fn length(state: *mut lua_State) -> ffi::lua_Integer {
    // SAFETY: called by Lua.
    unsafe {
        table(state, 1);
        ffi::luaL_len(state, 1)
    }
}

/// A table, or something with a metatable that may behave as one. Raises.
unsafe fn table(state: *mut lua_State, index: c_int) {
    // SAFETY: called by Lua.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TTABLE {
            let behaves = ffi::lua_type(state, index) == ffi::LUA_TUSERDATA
                && ffi::lua_getmetatable(state, index) != 0;
            if !behaves {
                ffi::luaL_checktype(state, index, ffi::LUA_TTABLE);
            }
            ffi::lua_pop(state, 1);
        }
    }
}

unsafe fn check(state: *mut lua_State, good: bool, argument: c_int, message: &CStr) {
    if !good {
        // SAFETY: called by Lua.
        unsafe { ffi::luaL_argerror(state, argument, message.as_ptr()) };
    }
}

unsafe extern "C-unwind" fn concat(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let last = length(state);
        let mut len = 0;
        let separator = ffi::luaL_optlstring(state, 2, c"".as_ptr(), &mut len);
        let first = ffi::luaL_optinteger(state, 3, 1);
        let last = ffi::luaL_optinteger(state, 4, last);
        let mut buffer = std::mem::MaybeUninit::<ffi::luaL_Buffer>::uninit();
        let buffer = buffer.as_mut_ptr();
        ffi::luaL_buffinit(state, buffer);
        let mut turns = Turns(0);
        let mut at = first;
        while at <= last {
            turns.next(state);
            ffi::lua_geti(state, 1, at);
            if ffi::lua_isstring(state, -1) == 0 {
                let name = ffi::lua_typename(state, ffi::lua_type(state, -1));
                ffi::luaL_error(
                    state,
                    c"invalid value (%s) at index %I in table for 'concat'".as_ptr(),
                    name,
                    at,
                );
            }
            ffi::luaL_addvalue(buffer);
            if at == last {
                break;
            }
            ffi::luaL_addlstring(buffer, separator as *const c_char, len);
            at += 1;
        }
        ffi::luaL_pushresult(buffer);
    }
    1
}

unsafe extern "C-unwind" fn insert(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let end = length(state).wrapping_add(1);
        let place = match ffi::lua_gettop(state) {
            2 => end,
            3 => {
                let place = ffi::luaL_checkinteger(state, 2);
                let inside = (place as u64).wrapping_sub(1) < end as u64;
                check(state, inside, 2, c"position out of bounds");
                let mut turns = Turns(0);
                for at in (place..end).rev() {
                    turns.next(state);
                    ffi::lua_geti(state, 1, at);
                    ffi::lua_seti(state, 1, at + 1);
                }
                place
            }
            _ => raise(state, b"wrong number of arguments to 'insert'"),
        };
        ffi::lua_seti(state, 1, place);
    }
    0
}

unsafe extern "C-unwind" fn remove(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let size = length(state);
        let place = ffi::luaL_optinteger(state, 2, size);
        if place != size {
            let inside = (place as u64).wrapping_sub(1) <= size as u64;
            check(state, inside, 2, c"position out of bounds");
        }
        ffi::lua_geti(state, 1, place);
        let mut turns = Turns(0);
        for at in place..size {
            turns.next(state);
            ffi::lua_geti(state, 1, at + 1);
            ffi::lua_seti(state, 1, at);
        }
        ffi::lua_pushnil(state);
        ffi::lua_seti(state, 1, place.max(size));
    }
    1
}

unsafe extern "C-unwind" fn move_(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let from = ffi::luaL_checkinteger(state, 2);
        let end = ffi::luaL_checkinteger(state, 3);
        let to = ffi::luaL_checkinteger(state, 4);
        let target = if ffi::lua_isnoneornil(state, 5) != 0 {
            1
        } else {
            5
        };
        table(state, 1);
        table(state, target);
        if end >= from {
            let countable = from > 0 || end < ffi::lua_Integer::MAX + from;
            check(state, countable, 3, c"too many elements to move");
            let count = end - from + 1;
            let fits = to <= ffi::lua_Integer::MAX - count + 1;
            check(state, fits, 4, c"destination wrap around");
            // Backwards only where going forwards would read what it has written.
            let forwards = to > end
                || to <= from
                || target != 1 && ffi::lua_compare(state, 1, target, ffi::LUA_OPEQ) == 0;
            let mut turns = Turns(0);
            for turn in 0..count {
                turns.next(state);
                let at = if forwards { turn } else { count - 1 - turn };
                ffi::lua_geti(state, 1, from + at);
                ffi::lua_seti(state, target, to + at);
            }
        }
        ffi::lua_pushvalue(state, target);
    }
    1
}

/// Heapsort: in place, and no order function, however wrong, leads it out of the table.
unsafe extern "C-unwind" fn sort(state: *mut lua_State) -> c_int {
    // SAFETY: called by Lua.
    unsafe {
        let count = length(state);
        if count > 1 {
            check(state, count < i64::from(i32::MAX), 1, c"array too big");
            if ffi::lua_isnoneornil(state, 2) == 0 {
                ffi::luaL_checktype(state, 2, ffi::LUA_TFUNCTION);
            }
            ffi::lua_settop(state, 2);
            ffi::luaL_checkstack(state, 8, std::ptr::null());
            let mut turns = Turns(0);
            for root in (1..=count / 2).rev() {
                sift(state, root, count, &mut turns);
            }
            for last in (2..=count).rev() {
                ffi::lua_geti(state, 1, 1);
                ffi::lua_geti(state, 1, last);
                ffi::lua_seti(state, 1, 1);
                ffi::lua_seti(state, 1, last);
                sift(state, 1, last - 1, &mut turns);
            }
        }
    }
    0
}

/// Lets the element at `root` sink to where none below it is greater.
unsafe fn sift(state: *mut lua_State, root: i64, count: i64, turns: &mut Turns) {
    // SAFETY: as `sort`'s; the stack is as it was when it returns.
    unsafe {
        ffi::lua_geti(state, 1, root);
        let mut at = root;
        while 2 * at <= count {
            turns.next(state);
            let mut child = 2 * at;
            ffi::lua_geti(state, 1, child);
            if child < count {
                ffi::lua_geti(state, 1, child + 1);
                if is_less(state, -2, -1) {
                    ffi::lua_remove(state, -2);
                    child += 1;
                } else {
                    ffi::lua_pop(state, 1);
                }
            }
            if !is_less(state, -2, -1) {
                ffi::lua_pop(state, 1);
                break;
            }
            ffi::lua_seti(state, 1, at);
            at = child;
        }
        ffi::lua_seti(state, 1, at);
    }
}

/// By the function at 2, or as `<` has it.
unsafe fn is_less(state: *mut lua_State, a: c_int, b: c_int) -> bool {
    // SAFETY: as `sort`'s.
    unsafe {
        if ffi::lua_isnil(state, 2) != 0 {
            return ffi::lua_compare(state, a, b, ffi::LUA_OPLT) != 0;
        }
        ffi::lua_pushvalue(state, 2);
        ffi::lua_pushvalue(state, a - 1);
        ffi::lua_pushvalue(state, b - 2);
        ffi::lua_call(state, 2, 1);
        let less = ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_pop(state, 1);
        less
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::{Config, Value, Vm};

    const SCRIPT: &str = include_str!("../../tests/lua/stoppable.lua");

    fn answers(seed: u64, timeout: Option<Duration>) -> String {
        let runtime = crate::EventLoop::new().unwrap();
        let vm = Vm::new(Config {
            timeout,
            ..Config::default()
        })
        .unwrap();
        let script = format!("local SEED, COUNT = {seed}, 1000 {SCRIPT}");
        match runtime.block_on(vm.eval("=answers", script.as_bytes())) {
            Ok(Value::Bytes(text)) => String::from_utf8_lossy(&text).into_owned(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn they_answer_as_those_of_lua_do() {
        for seed in 1..=5 {
            let own = answers(seed, None);
            let ours = answers(seed, Some(Duration::from_secs(3600)));
            let difference = own
                .lines()
                .zip(ours.lines())
                .find(|(own, ours)| own != ours);
            assert_eq!(difference, None, "seed {seed}");
            assert!(own == ours && own.lines().count() > 5000, "seed {seed}");
        }
    }
}
