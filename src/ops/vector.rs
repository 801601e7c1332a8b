//! Vectors of either float type, for whichever instructions the machine has.

use std::marker::PhantomData;

use pulp::{Simd, WithSimd};

use super::level::run;

/// A number of which vectors can be made.
pub(super) trait Lanes: Copy {
    /// As many of them as the instructions take at once.
    type Vector<S: Simd>: Copy;

    /// A vector of equal numbers.
    fn splat<S: Simd>(simd: S, value: Self) -> Self::Vector<S>;
    /// a + b.
    fn plus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// a − b.
    fn minus<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    /// a·b + c.
    fn multiply_add<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
}

/// Numbers of a vector.
#[inline(always)]
pub(super) const fn lanes<T: Lanes, S: Simd>() -> usize {
    size_of::<T::Vector<S>>() / size_of::<T>()
}

macro_rules! lanes {
    ($float:ident, $vector:ident, $splat:ident, $add:ident, $sub:ident, $multiply_add:ident) => {
        impl Lanes for $float {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$vector {
                simd.$splat(value)
            }
            #[inline(always)]
            fn plus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$add(a, b)
            }
            #[inline(always)]
            fn minus<S: Simd>(simd: S, a: S::$vector, b: S::$vector) -> S::$vector {
                simd.$sub(a, b)
            }
            #[inline(always)]
            fn multiply_add<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$multiply_add(a, b, c)
            }
        }
    };
}

lanes!(f32, f32s, splat_f32s, add_f32s, sub_f32s, mul_add_e_f32s);
lanes!(f64, f64s, splat_f64s, add_f64s, sub_f64s, mul_add_e_f64s);

/// The vector that begins at `place`.
///
/// # Safety
/// A whole vector of numbers must be readable there.
#[inline(always)]
pub(super) unsafe fn load<T: Lanes, S: Simd>(place: *const T) -> T::Vector<S> {
    // SAFETY: passed on; no alignment is asked for.
    unsafe { place.cast::<T::Vector<S>>().read_unaligned() }
}

/// Writes a vector to `place`.
///
/// # Safety
/// A whole vector of numbers must be writable there.
#[inline(always)]
pub(super) unsafe fn store<T: Lanes, S: Simd>(place: *mut T, vector: T::Vector<S>) {
    // SAFETY: passed on; no alignment is asked for.
    unsafe { place.cast::<T::Vector<S>>().write_unaligned(vector) };
}

/// Numbers of the widest vector of [`super::level::level`].
pub(super) fn width<T: Lanes>() -> usize {
    struct Width<T>(PhantomData<T>);
    impl<T: Lanes> WithSimd for Width<T> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            lanes::<T, S>()
        }
    }
    run(Width::<T>(PhantomData))
}
