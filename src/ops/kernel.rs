//! What the CPU kernels share: the two float types, output buffers, and the way from candle's storage to slices.

use std::cell::RefCell;
use std::mem::MaybeUninit;

use candle_core::{CpuStorage, Layout, Storage, Tensor, WithDType};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::aligned::Aligned;
use super::level::run;
pub(super) use super::level::widest;
use super::smooth::Smooth;
use super::vector::Lanes;

/// How many numbers one task of an elementwise kernel takes: small enough for two tasks per core at 64 px, large enough
/// to hide the cost of a task.
pub(super) const CHUNK: usize = 16 * 1024;

/// f32 or f64.
pub(super) trait Real: WithDType + Smooth + Lanes {
    const ZERO: Self;
    const ONE: Self;

    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
    fn sqrt(self) -> Self;
    fn storage(values: Vec<Self>) -> CpuStorage;
    /// The numbers of a storage of this type.
    fn vec_mut(storage: &mut CpuStorage) -> Option<&mut Vec<Self>>;

    /// Lends `len` numbers of memory, from a cache line on, that this thread keeps, so that kernels do not allocate for every tile. What they
    /// hold is left over from earlier uses. `f` must not ask for scratch memory again, nor hand work to other threads.
    fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R;
}

macro_rules! real {
    ($float:ident, $variant:ident) => {
        impl Real for $float {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            fn of(value: f64) -> Self {
                value as $float
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn sqrt(self) -> Self {
                $float::sqrt(self)
            }
            fn storage(values: Vec<Self>) -> CpuStorage {
                CpuStorage::$variant(values)
            }
            fn vec_mut(storage: &mut CpuStorage) -> Option<&mut Vec<Self>> {
                match storage {
                    CpuStorage::$variant(values) => Some(values),
                    _ => None,
                }
            }
            fn with_scratch<R>(len: usize, f: impl FnOnce(&mut [Self]) -> R) -> R {
                thread_local!(static SCRATCH: RefCell<Aligned<$float>> = RefCell::new(Aligned::new(0)));
                SCRATCH.with_borrow_mut(|scratch| {
                    if scratch.len() < len {
                        *scratch = Aligned::new(len);
                    }
                    f(&mut scratch[..len])
                })
            }
        }
    };
}

real!(f32, F32);
real!(f64, F64);

/// The numbers of a contiguous tensor.
pub(super) fn view<'a, T: Real>(storage: &'a CpuStorage, layout: &Layout, name: &str) -> candle_core::Result<&'a [T]> {
    let all = T::cpu_storage_as_slice(storage)?;
    match layout.contiguous_offsets() {
        Some((start, end)) => match all.get(start..end) {
            Some(numbers) => Ok(numbers),
            None => candle_core::bail!("{name}: the operand is being changed in place"),
        },
        None => candle_core::bail!("{name}: the operand is not contiguous"),
    }
}

/// Calls `f` with the numbers of contiguous tensors.
pub(super) fn with_numbers<T: Real, R>(
    tensors: &[Tensor],
    name: &str,
    f: impl FnOnce(Vec<&[T]>) -> candle_core::Result<R>,
) -> candle_core::Result<R> {
    let places: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let numbers = places.iter().map(|(storage, layout)| match &**storage {
        Storage::Cpu(storage) => view(storage, layout, name),
        _ => candle_core::bail!("{name}: runs on the CPU only"),
    });
    f(numbers.collect::<candle_core::Result<_>>()?)
}

/// Memory of `len` numbers that `fill` writes completely.
///
/// # Safety
/// `fill` must have written every number when it returns.
pub(super) unsafe fn filled<T: Real>(len: usize, fill: impl FnOnce(&mut [MaybeUninit<T>])) -> Vec<T> {
    let mut values = Vec::with_capacity(len);
    fill(&mut values.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is there, and `fill` has written `len` numbers by the contract of this function.
    unsafe { values.set_len(len) };
    values
}

/// f(x) number by number. Here and below f is copied for every piece: what a closure has borrowed would be read anew
/// for every number, since the numbers that are written might be it.
pub(super) fn map<T: Real>(x: &[T], f: impl Fn(T) -> T + Copy + Sync) -> Vec<T> {
    // SAFETY: the chunks of `out` and `x` pair up, and every number of a chunk is written.
    unsafe {
        filled(x.len(), |out| {
            out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| {
                widest(move || {
                    for (out, &x) in out.iter_mut().zip(x) {
                        out.write(f(x));
                    }
                });
            });
        })
    }
}

/// f(x, y) number by number; the slices have one length.
pub(super) fn map2<T: Real>(x: &[T], y: &[T], f: impl Fn(T, T) -> T + Copy + Sync) -> Vec<T> {
    assert_eq!(x.len(), y.len(), "elementwise operands differ in length");
    // SAFETY: the chunks of `out`, `x` and `y` have equal lengths, and every number of a chunk is written.
    unsafe {
        filled(x.len(), |out| {
            let chunks = out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(y.par_chunks(CHUNK));
            chunks.for_each(|((out, x), y)| write(out, x, y, f));
        })
    }
}

/// Writes f(x, y) number by number, for slices of one length.
pub(super) fn write<T: Real>(out: &mut [MaybeUninit<T>], x: &[T], y: &[T], f: impl Fn(T, T) -> T + Copy) {
    widest(move || {
        for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
            out.write(f(x, y));
        }
    });
}

/// How many running sums a reduction keeps: enough for two of the widest vector registers, and fixed, so that the order
/// of additions never depends on the machine.
const LANES: usize = 32;

/// Σ f(x), in a fixed order: 32 interleaved partial sums, then those in double precision. f should be short; what is too
/// long to be compiled into the loop is not compiled for its vectors.
pub(super) fn sum<T: Real>(x: &[T], f: impl Fn(T) -> T) -> f64 {
    let [total] = sums2(x, x, |x, _| [f(x)]);
    total
}

/// Σ f(x, y) over slices of one length, in a fixed order as [`sum`].
pub(super) fn sum2<T: Real>(x: &[T], y: &[T], f: impl Fn(T, T) -> T) -> f64 {
    let [total] = sums2(x, y, |x, y| [f(x, y)]);
    total
}

/// Several sums over slices of one length in one pass, each as [`sum`].
pub(super) fn sums2<T: Real, const N: usize>(x: &[T], y: &[T], f: impl Fn(T, T) -> [T; N]) -> [f64; N] {
    run(Sums { x, y, f })
}

/// A closure as long as this loop would be left out of the functions that are compiled for vectors.
struct Sums<'a, T, F> {
    x: &'a [T],
    y: &'a [T],
    f: F,
}

impl<T: Real, F: Fn(T, T) -> [T; N], const N: usize> WithSimd for Sums<'_, T, F> {
    type Output = [f64; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> [f64; N] {
        let Sums { x, y, f } = self;
        let mut lanes = [[T::ZERO; LANES]; N];
        let (mut xs, mut ys) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
        for (x, y) in (&mut xs).zip(&mut ys) {
            for lane in 0..LANES {
                let terms = f(x[lane], y[lane]);
                for (lanes, term) in lanes.iter_mut().zip(terms) {
                    lanes[lane] += term;
                }
            }
        }
        let mut totals = lanes.map(|lanes| lanes.iter().map(|lane| lane.wide()).sum::<f64>());
        for (&x, &y) in xs.remainder().iter().zip(ys.remainder()) {
            for (total, term) in totals.iter_mut().zip(f(x, y)) {
                *total += term.wide();
            }
        }
        totals
    }
}

/// A pointer that tasks share to write disjoint parts of one buffer.
#[derive(Clone, Copy)]
pub(super) struct Shared<T>(*mut T);

// SAFETY: whoever dereferences the pointer promises that tasks write disjoint parts; numbers themselves are `Send`.
unsafe impl<T: Send> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Shared<T> {}

impl<T> Shared<T> {
    pub(super) fn new(pointer: *mut T) -> Shared<T> {
        Shared(pointer)
    }

    pub(super) fn get(self) -> *mut T {
        self.0
    }
}
