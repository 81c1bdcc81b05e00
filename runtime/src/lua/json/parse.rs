//! `json.parse`.

use std::ffi::c_int;

use assay_plugin::Error;

use super::text::{each, skip_plain, word};
use super::{MAX_DEPTH, trim_buffer};
use crate::lua::bridge::ARRAY;
use crate::lua::native::Frame;
use crate::lua::{errors, ffi, lua_State};

/// A parse: plain data, so that Lua may raise across it when memory runs out.
///
/// Lua's strings end with a zero byte, which is nowhere allowed in JSON: reading it is what ends a
/// loop, so only reads of whole words look at `end`.
struct Parser {
    state: *mut lua_State,
    at: *const u8,
    end: *const u8,
    keep_null: bool,
    /// The VM's buffer, for strings with escapes.
    buffer: *mut Vec<u8>,
    /// The names of members that came last, for texts in which they repeat.
    names: Option<[Name; NAMES]>,
    fault: Fault,
}

/// A string on the stack, at the index of its place among the names.
#[derive(Clone, Copy)]
struct Name {
    bytes: *const u8,
    len: usize,
}

/// How many names are kept, a power of two.
const NAMES: usize = 64;
/// Texts from this size on repeat names enough.
const NAMES_FROM: usize = 2048;
/// The stack of a parse: the job, then the mark of arrays, then the names.
const MARK: c_int = 2;

/// Values that are held on the stack until their table can be made in the right size.
const BATCH: c_int = 32;

#[derive(Clone, Copy)]
enum Fault {
    None,
    End,
    Unexpected,
    Depth,
    Number,
    Integer,
    Escape,
    Surrogate,
    Control,
    Trailing,
    Utf8,
    Stack,
}

pub(super) unsafe fn parse(frame: &Frame<'_>) -> Result<c_int, Error> {
    let text = frame.bytes(1)?;
    // SAFETY: as the frame's.
    let keep_null = unsafe { frame.option_bool(2, &["null"], c"null")? };
    let range = text.as_ptr_range();
    let mut parser = Parser {
        state: frame.state,
        at: range.start,
        end: range.end,
        keep_null,
        buffer: frame.vm.inner().buffer.get(),
        names: (text.len() >= NAMES_FROM).then_some(
            [Name {
                bytes: std::ptr::null(),
                len: 0,
            }; NAMES],
        ),
        fault: Fault::None,
    };
    // SAFETY: the frame's state; the parser owns nothing, so a raise in it is caught here with
    // nothing lost.
    unsafe {
        let job: *mut Parser = &mut parser;
        ffi::lua_pushcfunction(frame.state, parse_job);
        ffi::lua_pushlightuserdata(frame.state, job.cast());
        if ffi::lua_pcall(frame.state, 1, 1, 0) != ffi::LUA_OK {
            return Err(errors::out_of_memory(frame.vm));
        }
    }
    trim_buffer(frame.vm);
    match parser.fault {
        Fault::None => Ok(1),
        fault => Err(explain(
            fault,
            text,
            parser.at as usize - range.start as usize,
        )),
    }
}

unsafe extern "C-unwind" fn parse_job(state: *mut lua_State) -> c_int {
    // SAFETY: called protected by `parse`.
    unsafe {
        let parser = &mut *ffi::lua_touserdata(state, 1).cast::<Parser>();
        parser.state = state;
        ffi::lua_rawgetp(
            state,
            ffi::LUA_REGISTRYINDEX,
            std::ptr::from_ref(&ARRAY).cast(),
        );
        if parser.names.is_some() {
            if ffi::lua_checkstack(state, NAMES as c_int + 16) == 0 {
                parser.fault = Fault::Stack;
                return 0;
            }
            ffi::lua_settop(state, MARK + NAMES as c_int);
        }
        parser.skip_space();
        if parser.value(0) {
            parser.skip_space();
            if parser.at < parser.end {
                parser.fault = Fault::Trailing;
            }
        }
    }
    1
}

fn explain(fault: Fault, text: &[u8], at: usize) -> Error {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|&&b| b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|&&b| b != b'\n').count() + 1;
    let near =
        String::from_utf8_lossy(&text[at.min(text.len())..(at + 20).min(text.len())]).into_owned();
    let what = match fault {
        Fault::End => "unexpected end of the text".to_owned(),
        Fault::Depth => format!("nested deeper than {MAX_DEPTH}"),
        Fault::Number => "a malformed number".to_owned(),
        Fault::Integer => "an integer beyond 64 bits, which would be rounded".to_owned(),
        Fault::Escape => "a malformed escape in a string".to_owned(),
        Fault::Surrogate => "half of a surrogate pair in a string".to_owned(),
        Fault::Control => "a control character in a string".to_owned(),
        Fault::Trailing => "more text after the value".to_owned(),
        Fault::Utf8 => "bytes that are not UTF-8 in a string".to_owned(),
        Fault::Stack => "the Lua stack is full".to_owned(),
        Fault::Unexpected | Fault::None => "unexpected text".to_owned(),
    };
    let near = if near.is_empty() {
        String::new()
    } else {
        format!(" near `{}`", near.escape_debug())
    };
    let error = Error::new(
        "syntax",
        format!("line {line}, column {column}: {what}{near}"),
    );
    match fault {
        Fault::Integer => error.hint("have the sender write it as a string"),
        _ => error,
    }
}

impl Parser {
    #[cold]
    fn fail(&mut self, fault: Fault) -> bool {
        self.fault = fault;
        false
    }

    /// What is there is not what was expected.
    #[cold]
    fn unexpected(&mut self, fault: Fault) -> bool {
        self.fail(if self.at >= self.end {
            Fault::End
        } else {
            fault
        })
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        // SAFETY: never beyond the zero at the end.
        unsafe { *self.at }
    }

    /// Only from a byte that is not the zero at the end.
    #[inline(always)]
    fn skip(&mut self) {
        // SAFETY: the caller has seen another byte than that at the end.
        self.at = unsafe { self.at.add(1) };
    }

    #[inline(always)]
    fn skip_space(&mut self) {
        while let b' ' | b'\n' | b'\r' | b'\t' = self.peek() {
            self.skip();
        }
    }

    fn rest(&self) -> &[u8] {
        // SAFETY: what is left of the text.
        unsafe { std::slice::from_raw_parts(self.at, self.end as usize - self.at as usize) }
    }

    fn word(&mut self, word: &[u8]) -> bool {
        if self.rest().starts_with(word) {
            // SAFETY: it was there.
            self.at = unsafe { self.at.add(word.len()) };
            return true;
        }
        self.fail(if word.starts_with(self.rest()) {
            Fault::End
        } else {
            Fault::Unexpected
        })
    }

    /// Parses a value and pushes it. Raises on lack of memory only.
    unsafe fn value(&mut self, depth: usize) -> bool {
        // SAFETY: an open state in protected mode; room is made at each level.
        unsafe {
            match self.peek() {
                b'"' => self.string(false),
                b'{' => self.object(depth),
                b'[' => self.array(depth),
                b't' => {
                    ffi::lua_pushboolean(self.state, 1);
                    self.word(b"true")
                }
                b'f' => {
                    ffi::lua_pushboolean(self.state, 0);
                    self.word(b"false")
                }
                b'n' => {
                    if self.keep_null {
                        ffi::lua_pushlightuserdata(self.state, std::ptr::null_mut());
                    } else {
                        ffi::lua_pushnil(self.state);
                    }
                    self.word(b"null")
                }
                b'-' | b'0'..=b'9' => self.number(),
                _ => self.unexpected(Fault::Unexpected),
            }
        }
    }

    /// Enters a table, whose first byte is next: makes room, and for the table itself a place.
    #[inline(always)]
    unsafe fn enter(&mut self, depth: usize) -> bool {
        if depth >= MAX_DEPTH {
            return self.fail(Fault::Depth);
        }
        // SAFETY: an open state.
        unsafe {
            if ffi::lua_checkstack(self.state, 2 * BATCH + 16) == 0 {
                return self.fail(Fault::Stack);
            }
            ffi::lua_pushnil(self.state);
        }
        self.skip();
        self.skip_space();
        true
    }

    /// After a value in a table: whether another one follows. `None` for a fault.
    #[inline(always)]
    fn goes_on(&mut self, close: u8) -> Option<bool> {
        self.skip_space();
        let next = self.peek();
        if next == b',' {
            self.skip();
            self.skip_space();
            return Some(true);
        }
        if next == close {
            self.skip();
            return Some(false);
        }
        self.unexpected(Fault::Unexpected);
        None
    }

    unsafe fn object(&mut self, depth: usize) -> bool {
        // SAFETY: as `value`'s.
        unsafe {
            if !self.enter(depth) {
                return false;
            }
            let state = self.state;
            let place = ffi::lua_gettop(state);
            let (mut held, mut more, mut made) = (0, self.peek() != b'}', false);
            if !more {
                self.skip();
            }
            while more {
                if self.peek() != b'"' {
                    return self.unexpected(Fault::Unexpected);
                }
                if !self.string(true) {
                    return false;
                }
                self.skip_space();
                if self.peek() != b':' {
                    return self.unexpected(Fault::Unexpected);
                }
                self.skip();
                self.skip_space();
                if !self.value(depth + 1) {
                    return false;
                }
                let Some(goes_on) = self.goes_on(b'}') else {
                    return false;
                };
                (more, held) = (goes_on, held + 1);
                if held == BATCH && more {
                    set_members(state, place, held, &mut made, 2 * BATCH);
                    held = 0;
                }
            }
            set_members(state, place, held, &mut made, held);
        }
        true
    }

    unsafe fn array(&mut self, depth: usize) -> bool {
        // SAFETY: as `value`'s.
        unsafe {
            if !self.enter(depth) {
                return false;
            }
            let state = self.state;
            let place = ffi::lua_gettop(state);
            let (mut held, mut more, mut made) = (0, self.peek() != b']', 0);
            if !more {
                self.skip();
            }
            while more {
                if !self.value(depth + 1) {
                    return false;
                }
                let Some(goes_on) = self.goes_on(b']') else {
                    return false;
                };
                (more, held) = (goes_on, held + 1);
                if held == 2 * BATCH && more {
                    set_items(state, place, held, &mut made, 4 * BATCH);
                    held = 0;
                }
            }
            set_items(state, place, held, &mut made, held);
        }
        true
    }

    unsafe fn number(&mut self) -> bool {
        let start = self.at;
        let negative = self.peek() == b'-';
        if negative {
            self.skip();
        }
        let (first, mut int) = (self.at, 0_u64);
        while let digit @ b'0'..=b'9' = self.peek() {
            // Too long a number is caught by its length.
            int = int.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'));
            self.skip();
        }
        let digits = self.at as usize - first as usize;
        if digits == 0 {
            return self.fail(Fault::Number);
        }
        // SAFETY: there are two digits.
        let (zero, second) = unsafe { (*first == b'0', first.add(1)) };
        if digits > 1 && zero {
            self.at = second;
            return self.fail(Fault::Unexpected);
        }
        if let b'.' | b'e' | b'E' = self.peek() {
            // SAFETY: as `value`'s.
            return unsafe { self.float(start) };
        }
        if digits > 18 {
            // SAFETY: digits, maybe with a sign.
            let text =
                unsafe { std::slice::from_raw_parts(start, self.at as usize - start as usize) };
            let Some(exact) = std::str::from_utf8(text)
                .ok()
                .and_then(|text| text.parse::<i64>().ok())
            else {
                self.at = start;
                return self.fail(Fault::Integer);
            };
            int = exact.unsigned_abs();
        }
        // SAFETY: room for one value.
        unsafe {
            match negative {
                // Minus zero is a float.
                true if int == 0 => ffi::lua_pushnumber(self.state, -0.0),
                true => ffi::lua_pushinteger(self.state, (int as i64).wrapping_neg()),
                false => ffi::lua_pushinteger(self.state, int as i64),
            }
        }
        true
    }

    /// The rest of a number from its point or exponent on.
    unsafe fn float(&mut self, start: *const u8) -> bool {
        let digits = |this: &mut Self| {
            let from = this.at;
            while this.peek().is_ascii_digit() {
                this.skip();
            }
            this.at > from
        };
        if self.peek() == b'.' {
            self.skip();
            if !digits(self) {
                return self.fail(Fault::Number);
            }
        }
        if let b'e' | b'E' = self.peek() {
            self.skip();
            if let b'+' | b'-' = self.peek() {
                self.skip();
            }
            if !digits(self) {
                return self.fail(Fault::Number);
            }
        }
        // SAFETY: what was passed; room for one value.
        unsafe {
            let text = std::slice::from_raw_parts(start, self.at as usize - start as usize);
            match std::str::from_utf8(text).map(str::parse::<f64>) {
                Ok(Ok(float)) if float.is_finite() => ffi::lua_pushnumber(self.state, float),
                _ => {
                    self.at = start;
                    return self.fail(Fault::Number);
                }
            }
        }
        true
    }

    unsafe fn string(&mut self, is_name: bool) -> bool {
        self.skip();
        let (start, mut high) = (self.at, 0);
        // SAFETY: the text's range; room for one value.
        unsafe {
            self.at = skip_plain(start, self.end, &mut high);
            if self.peek() != b'"' {
                return self.escaped(start, high);
            }
            let len = self.at as usize - start as usize;
            self.skip();
            if high & each(0x80) != 0 && !self.check_utf8(start, len) {
                return false;
            }
            if is_name && len <= 40 && self.names.is_some() {
                self.push_name(start, len);
            } else {
                ffi::lua_pushlstring(self.state, start.cast(), len);
            }
        }
        true
    }

    /// Pushes the name of a member: one that came before costs no hashing.
    unsafe fn push_name(&mut self, start: *const u8, len: usize) {
        // SAFETY: the name is in the text; those that are kept are on the stack.
        unsafe {
            let Some(names) = &mut self.names else { return };
            // Its first bytes and its length are enough to tell most apart. Behind a name there are
            // at least a quote and the zero at the end.
            let first = match len {
                0 => 0,
                1..7 => u64::from(*start) | u64::from(*start.add(len - 1)) << 8,
                _ => word(start),
            };
            let hash = (first ^ len as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let slot = (hash >> 58) as usize % NAMES;
            let index = MARK + 1 + slot as c_int;
            let name = &mut names[slot];
            let wanted = std::slice::from_raw_parts(start, len);
            if name.len == len
                && !name.bytes.is_null()
                && std::slice::from_raw_parts(name.bytes, len) == wanted
            {
                ffi::lua_pushvalue(self.state, index);
                return;
            }
            name.bytes = ffi::lua_pushlstring(self.state, start.cast(), len).cast();
            name.len = len;
            ffi::lua_copy(self.state, -1, index);
        }
    }

    /// Checks a string that is not ASCII alone.
    #[cold]
    unsafe fn check_utf8(&mut self, bytes: *const u8, len: usize) -> bool {
        // SAFETY: the bytes are the text's or the buffer's.
        match std::str::from_utf8(unsafe { std::slice::from_raw_parts(bytes, len) }) {
            Ok(_) => true,
            Err(_) => self.fail(Fault::Utf8),
        }
    }

    /// The rest of a string that cannot be taken as it is; `high` as `skip_plain` has it.
    unsafe fn escaped(&mut self, start: *const u8, mut high: u64) -> bool {
        // SAFETY: the VM's buffer, which nobody else uses during this call; the text's range; room
        // for one value. Nothing of Lua's is called while the buffer is borrowed.
        unsafe {
            let buffer = &mut *self.buffer;
            buffer.clear();
            let mut from = start;
            loop {
                let plain = self.at as usize - from as usize;
                buffer.extend_from_slice(std::slice::from_raw_parts(from, plain));
                match self.peek() {
                    b'"' => break,
                    b'\\' => {
                        self.skip();
                        let byte = match self.peek() {
                            byte @ (b'"' | b'\\' | b'/') => byte,
                            b'b' => 8,
                            b'f' => 12,
                            b'n' => b'\n',
                            b'r' => b'\r',
                            b't' => b'\t',
                            b'u' => 0,
                            _ => return self.unexpected(Fault::Escape),
                        };
                        self.skip();
                        if byte != 0 {
                            buffer.push(byte);
                        } else {
                            let Some(char) = self.unicode() else {
                                return false;
                            };
                            buffer.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                    }
                    _ => return self.unexpected(Fault::Control),
                }
                from = self.at;
                self.at = skip_plain(from, self.end, &mut high);
            }
            self.skip();
            let (bytes, len) = (buffer.as_ptr(), buffer.len());
            if high & each(0x80) != 0 && !self.check_utf8(bytes, len) {
                return false;
            }
            ffi::lua_pushlstring(self.state, bytes.cast(), len);
        }
        true
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex()?;
        let code = match first {
            0xd800..0xdc00 => {
                if !self.rest().starts_with(b"\\u") {
                    self.fail(Fault::Surrogate);
                    return None;
                }
                self.skip();
                self.skip();
                let second = self.hex()?;
                if !(0xdc00..0xe000).contains(&second) {
                    self.fail(Fault::Surrogate);
                    return None;
                }
                0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
            }
            code => code,
        };
        let char = char::from_u32(code);
        if char.is_none() {
            self.fail(Fault::Surrogate);
        }
        char
    }

    fn hex(&mut self) -> Option<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = char::from(self.peek()).to_digit(16) else {
                self.unexpected(Fault::Escape);
                return None;
            };
            code = code << 4 | digit;
            self.skip();
        }
        Some(code)
    }
}

/// Moves members from the stack into the table at `place`, which is made first, `size` large. Raises.
#[inline(always)]
unsafe fn set_members(
    state: *mut lua_State,
    place: c_int,
    count: c_int,
    made: &mut bool,
    size: c_int,
) {
    // SAFETY: names and values are above the place.
    unsafe {
        if !*made {
            *made = true;
            ffi::lua_createtable(state, 0, size);
            ffi::lua_replace(state, place);
        }
        // In their order, so that the last of two equal names wins; a null removes an earlier one.
        for at in 0..count {
            ffi::lua_pushvalue(state, place + 1 + 2 * at);
            ffi::lua_pushvalue(state, place + 2 + 2 * at);
            ffi::lua_rawset(state, place);
        }
        ffi::lua_settop(state, place);
    }
}

/// Moves items from the stack into the array at `place`, which has `made` items already; if none, it is
/// made first, `size` large. Raises.
#[inline(always)]
unsafe fn set_items(
    state: *mut lua_State,
    place: c_int,
    count: c_int,
    made: &mut ffi::lua_Integer,
    size: c_int,
) {
    // SAFETY: the items are above the place; the mark is where `parse_job` put it.
    unsafe {
        if *made == 0 {
            ffi::lua_createtable(state, size, 0);
            ffi::lua_pushvalue(state, MARK);
            ffi::lua_setmetatable(state, -2);
            ffi::lua_replace(state, place);
        }
        for at in (1..=count).rev() {
            ffi::lua_rawseti(state, place, *made + ffi::lua_Integer::from(at));
        }
        *made += ffi::lua_Integer::from(count);
    }
}
