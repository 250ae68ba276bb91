//! What is allocated between two marks, and how much of it stays: memory of the code that is measured, without the bench's own.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

pub struct Counting;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Runs what is measured.
pub fn inside<T>(deed: impl FnOnce() -> T) -> T {
    INSIDE.set(true);
    let result = deed();
    INSIDE.set(false);
    result
}

/// Bytes that the code inside has asked for and nobody has given back there.
pub fn live_bytes() -> i64 {
    LIVE.get()
}

/// How often the code inside has asked for memory.
pub fn count() -> u64 {
    COUNT.get()
}

fn grown(bytes: i64, times: u64) {
    if INSIDE.get() {
        LIVE.set(LIVE.get() + bytes);
        COUNT.set(COUNT.get() + times);
    }
}

// SAFETY: every call goes on to the allocator that the gateway has.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size() as i64, 1);
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        grown(-(layout.size() as i64), 0);
        unsafe { MiMalloc.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size as i64 - layout.size() as i64, 1);
        unsafe { MiMalloc.realloc(pointer, layout, size) }
    }
}
