//! Memory for vectors.

use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

use super::kernel::Shared;

/// Numbers that begin at a cache line, so that no vector lies across two.
pub(super) struct Aligned<T> {
    lines: Vec<Line>,
    len: usize,
    number: PhantomData<T>,
}

#[derive(Clone, Copy)]
#[repr(align(64))]
struct Line {
    _bytes: [u8; 64],
}

impl<T: Copy> Aligned<T> {
    /// `len` zeros.
    pub(super) fn new(len: usize) -> Aligned<T> {
        let lines = vec![Line { _bytes: [0; 64] }; (len * size_of::<T>()).div_ceil(64)];
        Aligned { lines, len, number: PhantomData }
    }

    /// `len` numbers that `fill` writes completely.
    ///
    /// # Safety
    /// `fill` must have written every number when it returns.
    pub(super) unsafe fn filled(len: usize, fill: impl FnOnce(Shared<T>)) -> Aligned<T> {
        let count = (len * size_of::<T>()).div_ceil(64);
        let mut lines = Vec::<Line>::with_capacity(count);
        fill(Shared::new(lines.as_mut_ptr().cast()));
        // SAFETY: the capacity is there, and what lies behind the last number is never read.
        unsafe { lines.set_len(count) };
        Aligned { lines, len, number: PhantomData }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold that many numbers, and any bits are a number.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}
