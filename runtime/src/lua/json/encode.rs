//! `json.encode`.

use std::ffi::{c_int, c_void};

use assay_plugin::Error;

use super::text::{short_word, word, write_int, write_string};
use super::{MAX_DEPTH, trim_buffer};
use crate::lua::bridge::{ARRAY, OBJECT, is_sequence};
use crate::lua::native::Frame;
use crate::lua::{errors, ffi, lua_State};

pub(super) unsafe fn encode(frame: &Frame<'_>) -> Result<c_int, Error> {
    // SAFETY: as the frame's; the buffer is the VM's, and no Lua code runs during an encode.
    unsafe {
        let pretty = frame.option_bool(2, &["pretty"], c"pretty")?;
        if frame.nargs == 0 {
            return Err(frame.expected(1, "a value"));
        }
        let buffer = &mut *frame.vm.inner().buffer.get();
        buffer.clear();
        let mut encoder = Encoder {
            state: frame.state,
            out: buffer,
            pretty,
            marks: [&ARRAY, &OBJECT].map(|key| mark_of(frame.state, key)),
            members: Vec::new(),
            numbers: Vec::new(),
        };
        encoder
            .value(1, 0)
            .map_err(|refused| refused.into_error())?;
        frame.push_bytes(buffer)?;
        trim_buffer(frame.vm);
    }
    Ok(1)
}

/// The address of a metatable that marks tables.
unsafe fn mark_of(state: *mut lua_State, key: &'static u8) -> *const c_void {
    // SAFETY: an open state with room.
    unsafe {
        ffi::lua_rawgetp(
            state,
            ffi::LUA_REGISTRYINDEX,
            std::ptr::from_ref(key).cast(),
        );
        let mark = ffi::lua_topointer(state, -1);
        ffi::lua_pop(state, 1);
        mark
    }
}

/// Writes values with raw access only: runs no Lua code, makes nothing in the VM, raises nothing. So
/// nothing is collected meanwhile, and strings may be pointed to.
struct Encoder<'a> {
    state: *mut lua_State,
    out: &'a mut Vec<u8>,
    pretty: bool,
    /// The metatables of arrays and of objects.
    marks: [*const c_void; 2],
    /// Of the objects that are being written, the innermost one's last.
    members: Vec<Member>,
    /// Names that were numbers, which members point to.
    numbers: Vec<Box<[u8]>>,
}

/// A member of an object: its name, and where its value is on the stack.
#[derive(Clone, Copy)]
struct Member {
    /// The first eight bytes as a number that sorts as they do.
    first: u64,
    name: *const u8,
    len: usize,
    value: c_int,
}

impl Member {
    /// # Safety
    /// The name must live as long as it is used.
    #[inline(always)]
    unsafe fn new(name: &[u8], value: c_int) -> Self {
        // SAFETY: within the name.
        let first = unsafe {
            match name.len() {
                8.. => word(name.as_ptr()),
                len => short_word(name.as_ptr(), len),
            }
        }
        .swap_bytes();
        Self {
            first,
            name: name.as_ptr(),
            len: name.len(),
            value,
        }
    }

    #[inline(always)]
    fn name(&self) -> &[u8] {
        // SAFETY: the promise of `new`'s caller.
        unsafe { std::slice::from_raw_parts(self.name, self.len) }
    }

    #[inline(always)]
    fn is_before(&self, other: &Self) -> bool {
        self.first < other.first || (self.first == other.first && self.name() < other.name())
    }
}

/// What cannot be encoded, and where: the path is made on the way out, innermost first.
struct Refused {
    what: String,
    hint: Option<&'static str>,
    path: Vec<String>,
}

impl Refused {
    #[cold]
    fn new(what: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            what: what.into(),
            hint: None,
            path: Vec::new(),
        })
    }

    /// Too deep to say where.
    #[cold]
    fn too_deep() -> Box<Self> {
        Self::new(format!(
            "a table nested deeper than {MAX_DEPTH}, or one that contains itself"
        ))
    }

    #[cold]
    fn under(mut self: Box<Self>, key: impl Into<String>) -> Box<Self> {
        self.path.push(key.into());
        self
    }

    fn into_error(self) -> Error {
        let mut what = self.what;
        if !self.path.is_empty() && self.path.len() < MAX_DEPTH {
            let path: Vec<String> = self.path.into_iter().rev().collect();
            what.push_str(" at ");
            what.push_str(&path.join("."));
        }
        let error = Error::new("value", what);
        match self.hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

impl Encoder<'_> {
    unsafe fn value(&mut self, index: c_int, depth: usize) -> Result<(), Box<Refused>> {
        let state = self.state;
        // SAFETY: an open state; the value is at an absolute index.
        unsafe {
            match ffi::lua_type(state, index) {
                ffi::LUA_TSTRING => {
                    if !write_string(self.out, string_at(state, index)) {
                        let mut refused = Refused::new("a string that is not UTF-8");
                        refused.hint = Some("encode binary data first: base64.encode(data)");
                        return Err(refused);
                    }
                }
                ffi::LUA_TTABLE => return self.table(index, depth),
                ffi::LUA_TNUMBER if ffi::lua_isinteger(state, index) != 0 => {
                    let int = ffi::lua_tointegerx(state, index, std::ptr::null_mut());
                    write_int(self.out, int);
                }
                ffi::LUA_TNUMBER => return self.float(ffi::lua_tonumber(state, index)),
                ffi::LUA_TBOOLEAN => {
                    let text: &[u8] = if ffi::lua_toboolean(state, index) != 0 {
                        b"true"
                    } else {
                        b"false"
                    };
                    self.out.extend_from_slice(text);
                }
                ffi::LUA_TNIL => self.out.extend_from_slice(b"null"),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(state, index).is_null() => {
                    self.out.extend_from_slice(b"null");
                }
                kind => {
                    return Err(Refused::new(format!(
                        "a {} has no form in JSON",
                        name(state, kind)
                    )));
                }
            }
        }
        Ok(())
    }

    fn float(&mut self, float: f64) -> Result<(), Box<Refused>> {
        use std::io::Write;
        if !float.is_finite() {
            return Err(Refused::new(format!("{float} has no form in JSON")));
        }
        // A float stays a float for readers that tell them apart, as in Lua: there is always a point
        // or an exponent. Writing to memory does not fail.
        let _ = write!(self.out, "{float:?}");
        Ok(())
    }

    /// 0 for a table that is marked as an array, 1 for an object.
    #[inline(always)]
    unsafe fn mark(&self, index: c_int) -> Option<usize> {
        // SAFETY: a table is at the index.
        unsafe {
            if ffi::lua_getmetatable(self.state, index) == 0 {
                return None;
            }
            let found = ffi::lua_topointer(self.state, -1);
            ffi::lua_pop(self.state, 1);
            self.marks.iter().position(|mark| *mark == found)
        }
    }

    unsafe fn table(&mut self, index: c_int, depth: usize) -> Result<(), Box<Refused>> {
        // SAFETY: as `value`'s.
        unsafe {
            if depth >= MAX_DEPTH || ffi::lua_checkstack(self.state, ROOM) == 0 {
                return Err(Refused::too_deep());
            }
            match self.mark(index) {
                Some(0) => {
                    let len = self.extent(index)?;
                    self.array(index, len, depth)
                }
                Some(_) => self.object(index, depth),
                None => match ffi::lua_rawlen(self.state, index) {
                    0 => self.object(index, depth),
                    len if is_sequence(self.state, index, len) => self.array(index, len, depth),
                    _ => self.object(index, depth),
                },
            }
        }
    }

    /// The largest index of a table that is marked as an array.
    unsafe fn extent(&mut self, index: c_int) -> Result<usize, Box<Refused>> {
        let state = self.state;
        // SAFETY: as `value`'s.
        unsafe {
            let (mut last, mut count) = (0, 0);
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, index) != 0 {
                ffi::lua_pop(state, 1);
                let at = match ffi::lua_isinteger(state, -1) {
                    0 => 0,
                    _ => ffi::lua_tointegerx(state, -1, std::ptr::null_mut()),
                };
                if at < 1 {
                    let key = errors::describe(state, ffi::lua_gettop(state));
                    let mut refused = Refused::new(format!("the key `{key}` in an array"));
                    refused.hint = Some("json.object(t) makes it an object");
                    return Err(refused);
                }
                last = last.max(at as usize);
                count += 1;
            }
            if last - count > MAX_HOLES {
                return Err(Refused::new(format!(
                    "an array of {count} items of which the last is at {last}"
                )));
            }
            Ok(last)
        }
    }

    unsafe fn array(&mut self, index: c_int, len: usize, depth: usize) -> Result<(), Box<Refused>> {
        self.put(b'[');
        for at in 1..=len {
            if at > 1 {
                self.put(b',');
            }
            self.line(depth + 1);
            // SAFETY: as `value`'s.
            unsafe {
                ffi::lua_rawgeti(self.state, index, at as ffi::lua_Integer);
                self.value(ffi::lua_gettop(self.state), depth + 1)
                    .map_err(|refused| refused.under(at.to_string()))?;
                ffi::lua_pop(self.state, 1);
            }
        }
        if len > 0 {
            self.line(depth);
        }
        self.put(b']');
        Ok(())
    }

    unsafe fn object(&mut self, index: c_int, depth: usize) -> Result<(), Box<Refused>> {
        let state = self.state;
        let first = self.members.len();
        // SAFETY: as `value`'s.
        unsafe {
            let top = ffi::lua_gettop(state);
            self.collect(index, first)?;
            self.put(b'{');
            for at in first..self.members.len() {
                let member = self.members[at];
                if at > first {
                    self.put(b',');
                }
                self.line(depth + 1);
                if !write_string(self.out, member.name()) {
                    return Err(Refused::new("a key that is not UTF-8"));
                }
                self.put(b':');
                if self.pretty {
                    self.put(b' ');
                }
                self.value(member.value, depth + 1)
                    .map_err(|refused| refused.under(String::from_utf8_lossy(member.name())))?;
            }
            if self.members.len() > first {
                self.line(depth);
            }
            self.put(b'}');
            self.members.truncate(first);
            ffi::lua_settop(state, top);
        }
        Ok(())
    }

    /// Leaves the table's values on the stack, and its members sorted.
    unsafe fn collect(&mut self, index: c_int, first: usize) -> Result<(), Box<Refused>> {
        let state = self.state;
        // SAFETY: as `value`'s.
        unsafe {
            let mut at = ffi::lua_gettop(state);
            let mut has_numbers = false;
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, index) != 0 {
                at += 1;
                let name = match ffi::lua_type(state, at) {
                    ffi::LUA_TSTRING => string_at(state, at),
                    ffi::LUA_TNUMBER if ffi::lua_isinteger(state, at) != 0 => {
                        has_numbers = true;
                        let int = ffi::lua_tointegerx(state, at, std::ptr::null_mut());
                        // The box stays where it is until all is written.
                        let text = int.to_string().into_bytes().into_boxed_slice();
                        let number: *const [u8] = &raw const *text;
                        self.numbers.push(text);
                        &*number
                    }
                    kind => {
                        return Err(Refused::new(format!(
                            "a key of type {} has no form in JSON",
                            name(state, kind)
                        )));
                    }
                };
                let count = self.members.len() - first;
                // The value stays, below the key for the next step. It is quicker to leave the key there
                // as well, but the stack has an end.
                if count < 64 {
                    self.members.push(Member::new(name, at + 1));
                    ffi::lua_pushvalue(state, at);
                    at += 1;
                } else {
                    self.members.push(Member::new(name, at));
                    ffi::lua_insert(state, at);
                }
                if count % 16 == 15 && ffi::lua_checkstack(state, ROOM) == 0 {
                    return Err(Refused::new(format!("an object of more than {count} keys")));
                }
            }
            sort(&mut self.members[first..]);
            let pairs = || self.members[first..].windows(2);
            if has_numbers && let Some(pair) = pairs().find(|pair| pair[0].name() == pair[1].name())
            {
                let name = String::from_utf8_lossy(pair[0].name());
                return Err(Refused::new(format!(
                    "the keys {name} and \"{name}\" would be the same"
                )));
            }
        }
        Ok(())
    }

    /// As `push`, without a call.
    #[inline(always)]
    fn put(&mut self, byte: u8) {
        let len = self.out.len();
        if len == self.out.capacity() {
            self.out.reserve(1);
        }
        // SAFETY: there is room for one more.
        unsafe {
            *self.out.as_mut_ptr().add(len) = byte;
            self.out.set_len(len + 1);
        }
    }

    #[inline(always)]
    fn line(&mut self, depth: usize) {
        if self.pretty {
            self.put(b'\n');
            self.out.resize(self.out.len() + 2 * depth, b' ');
        }
    }
}

/// What is made sure of for each table, and again for every sixteen members of an object.
const ROOM: c_int = 2 * 16 + 8;

/// Most nulls that an array may be filled with where it has holes.
const MAX_HOLES: usize = 10_000;

/// Sorts by name. Few members, the usual case, are sorted by inserting one after the other.
#[inline(always)]
fn sort(members: &mut [Member]) {
    if members.len() > 24 {
        return sort_many(members);
    }
    for at in 1..members.len() {
        let member = members[at];
        let mut to = at;
        while to > 0 && member.is_before(&members[to - 1]) {
            members[to] = members[to - 1];
            to -= 1;
        }
        members[to] = member;
    }
}

#[cold]
fn sort_many(members: &mut [Member]) {
    let mut sorted = members.to_vec();
    crate::order::by_name(&mut sorted, |member| member.name());
    members.copy_from_slice(&sorted);
}

/// The name of a type.
unsafe fn name(state: *mut lua_State, kind: c_int) -> std::borrow::Cow<'static, str> {
    // SAFETY: names of types are statics of Lua's.
    unsafe { std::ffi::CStr::from_ptr(ffi::lua_typename(state, kind)).to_string_lossy() }
}

#[inline(always)]
unsafe fn string_at<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    // SAFETY: a string is at the index, and is kept alive by the caller's table or stack.
    unsafe {
        let mut len = 0;
        let bytes = ffi::lua_tolstring(state, index, &mut len);
        std::slice::from_raw_parts(bytes.cast(), len)
    }
}
