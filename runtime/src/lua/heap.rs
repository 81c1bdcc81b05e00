//! A Lua state, and where its memory comes from.
//!
//! What scripts make is mostly small and soon garbage: tables, strings, closures. Lua tells the size of
//! what it frees, so small blocks need no headers: each size has a list of free blocks, which come from
//! chunks that are given back with the state. Large blocks are malloc's.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use super::{ffi, lua_State};

/// Larger blocks are malloc's.
const SMALL: usize = 256;
/// The sizes of small blocks are multiples of this, as their addresses are.
const STEP: usize = 16;
/// Chunks double from the first to the last of these.
const CHUNKS: (usize, usize) = (4 << 10, 64 << 10);

/// An open state. Closed when dropped.
pub(crate) struct State {
    state: NonNull<lua_State>,
    heap: NonNull<Heap>,
}

struct Heap {
    /// Bytes that Lua has.
    used: usize,
    limit: usize,
    free: [*mut Free; SMALL / STEP],
    /// The part of the newest chunk that was never used.
    rest: *mut u8,
    left: usize,
    chunks: *mut Chunk,
    next_chunk: usize,
}

struct Free(*mut Free);

#[repr(C, align(16))]
struct Chunk(*mut Chunk);

impl State {
    /// A state without libraries; none for lack of memory.
    pub fn new() -> Option<Self> {
        let heap = NonNull::from(Box::leak(Box::new(Heap {
            used: 0,
            limit: usize::MAX,
            free: [ptr::null_mut(); SMALL / STEP],
            rest: ptr::null_mut(),
            left: 0,
            chunks: ptr::null_mut(),
            next_chunk: CHUNKS.0,
        })));
        // SAFETY: the heap outlives the state.
        unsafe {
            let seed = ffi::luaL_makeseed(ptr::null_mut());
            let state = ffi::lua_newstate(allocate, heap.as_ptr().cast(), seed);
            let Some(state) = NonNull::new(state) else {
                drop(Box::from_raw(heap.as_ptr()));
                return None;
            };
            Some(Self { state, heap })
        }
    }

    /// The main thread.
    pub fn main(&self) -> *mut lua_State {
        self.state.as_ptr()
    }

    /// How many bytes Lua may have.
    pub fn set_limit(&self, bytes: usize) {
        // SAFETY: alive as long as the state; Lua does not run now.
        unsafe { (*self.heap.as_ptr()).limit = bytes };
    }
}

impl Drop for State {
    fn drop(&mut self) {
        // SAFETY: the last use of both.
        unsafe {
            ffi::lua_close(self.state.as_ptr());
            drop(Box::from_raw(self.heap.as_ptr()));
        }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        while !self.chunks.is_null() {
            // SAFETY: malloc's, each once.
            unsafe {
                let next = (*self.chunks).0;
                libc::free(self.chunks.cast());
                self.chunks = next;
            }
        }
    }
}

/// Lua's allocator: a new block, one of another size, or none any more.
unsafe extern "C" fn allocate(
    heap: *mut c_void,
    block: *mut c_void,
    old: usize,
    new: usize,
) -> *mut c_void {
    // SAFETY: the heap that the state was made with, on the state's thread; Lua does not lie about sizes.
    unsafe {
        let heap = &mut *heap.cast::<Heap>();
        // Without a block this says what kind of thing it is for.
        let old = if block.is_null() { 0 } else { old };
        if new > old && new - old > heap.limit.saturating_sub(heap.used) {
            return ptr::null_mut();
        }
        let moved = heap.resize(block, old, new);
        if !moved.is_null() || new == 0 {
            heap.used = heap.used - old + new;
        }
        moved
    }
}

impl Heap {
    unsafe fn resize(&mut self, block: *mut c_void, old: usize, new: usize) -> *mut c_void {
        // SAFETY: the caller's, as for `allocate`.
        unsafe {
            match (old, new) {
                (0, 0) => ptr::null_mut(),
                (0, _) => self.take(new),
                (_, 0) => {
                    self.give(block, old);
                    ptr::null_mut()
                }
                _ if old <= SMALL && new <= SMALL && class(old) == class(new) => block,
                _ if old > SMALL && new > SMALL => libc::realloc(block, new),
                _ => {
                    let moved = self.take(new);
                    if !moved.is_null() {
                        ptr::copy_nonoverlapping(
                            block.cast::<u8>(),
                            moved.cast::<u8>(),
                            old.min(new),
                        );
                        self.give(block, old);
                    } else if new < old {
                        // Lua counts on it that a block can shrink.
                        return block;
                    }
                    moved
                }
            }
        }
    }

    unsafe fn take(&mut self, size: usize) -> *mut c_void {
        // SAFETY: a block on a list is nobody's, and as large as the list says.
        unsafe {
            if size > SMALL {
                return libc::malloc(size);
            }
            let list = &mut self.free[class(size)];
            if let Some(block) = list.as_ref() {
                let taken = *list;
                *list = block.0;
                return taken.cast();
            }
            self.carve((class(size) + 1) * STEP)
        }
    }

    unsafe fn give(&mut self, block: *mut c_void, size: usize) {
        // SAFETY: the block was Lua's, and has room for a pointer.
        unsafe {
            if size > SMALL {
                return libc::free(block);
            }
            let block = block.cast::<Free>();
            let list = &mut self.free[class(size)];
            block.write(Free(*list));
            *list = block;
        }
    }

    /// A block that was never used.
    #[cold]
    unsafe fn carve(&mut self, size: usize) -> *mut c_void {
        // SAFETY: both ends of what is cut off are inside of the chunk.
        unsafe {
            if self.left < size {
                let chunk = libc::malloc(self.next_chunk).cast::<Chunk>();
                if chunk.is_null() {
                    return ptr::null_mut();
                }
                // What is left of the one before is a block of its own.
                if self.left > 0 {
                    self.give(self.rest.cast(), self.left);
                }
                chunk.write(Chunk(self.chunks));
                self.chunks = chunk;
                self.rest = chunk.add(1).cast();
                self.left = self.next_chunk - size_of::<Chunk>();
                self.next_chunk = (2 * self.next_chunk).min(CHUNKS.1);
            }
            let block = self.rest;
            self.rest = block.add(size);
            self.left -= size;
            block.cast()
        }
    }
}

/// Which list has blocks of a size from 1 to `SMALL`.
const fn class(size: usize) -> usize {
    (size - 1) / STEP
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Block {
        at: *mut c_void,
        size: usize,
        byte: u8,
    }

    impl Block {
        fn check(&self, size: usize) {
            // SAFETY: as large as that.
            let bytes = unsafe { std::slice::from_raw_parts(self.at.cast::<u8>(), size) };
            assert!(bytes.iter().all(|byte| *byte == self.byte));
            assert_eq!(self.at.addr() % STEP, 0);
        }
    }

    /// Blocks of any sizes keep what is in them, whatever happens to others.
    #[test]
    fn blocks_do_not_overlap() {
        let state = State::new().unwrap();
        let heap = state.heap.as_ptr().cast::<c_void>();
        // SAFETY: reads a number.
        let used = || unsafe { (*state.heap.as_ptr()).used };
        let before = used();
        let mut blocks: Vec<Block> = Vec::new();
        let mut random = 1_u64;
        let mut next = |below: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            (random % below) as usize
        };
        for round in 0..20_000 {
            let size = match next(8) {
                0 => 1 + next(2000),
                1 => 250 + next(12),
                _ => 1 + next(SMALL as u64),
            };
            let byte = round as u8;
            // SAFETY: sizes are told as they are.
            unsafe {
                if blocks.len() < 300 || next(4) == 0 {
                    let at = allocate(heap, ptr::null_mut(), 5, size);
                    at.cast::<u8>().write_bytes(byte, size);
                    blocks.push(Block { at, size, byte });
                    continue;
                }
                let index = next(blocks.len() as u64);
                let mut block = blocks.swap_remove(index);
                block.check(block.size);
                if next(2) == 0 {
                    assert!(allocate(heap, block.at, block.size, 0).is_null());
                    continue;
                }
                block.at = allocate(heap, block.at, block.size, size);
                block.check(size.min(block.size));
                block.at.cast::<u8>().write_bytes(byte, size);
                blocks.push(Block {
                    at: block.at,
                    size,
                    byte,
                });
            }
        }
        for block in blocks {
            block.check(block.size);
            // SAFETY: as above.
            unsafe { allocate(heap, block.at, block.size, 0) };
        }
        assert_eq!(used(), before);
    }

    #[test]
    fn the_limit_is_for_what_lua_has() {
        let state = State::new().unwrap();
        let heap = state.heap.as_ptr();
        // SAFETY: sizes are told as they are.
        unsafe {
            let used = (*heap).used;
            state.set_limit(used + 100);
            assert!(allocate(heap.cast(), ptr::null_mut(), 0, 101).is_null());
            let block = allocate(heap.cast(), ptr::null_mut(), 0, 90);
            assert!(!block.is_null());
            assert!(allocate(heap.cast(), block, 90, 101).is_null());
            let block = allocate(heap.cast(), block, 90, 100);
            assert!(!block.is_null());
            state.set_limit(0);
            let block = allocate(heap.cast(), block, 100, 10);
            assert!(!block.is_null(), "shrinking always works");
            allocate(heap.cast(), block, 10, 0);
            assert_eq!((*heap).used, used);
        }
    }
}
