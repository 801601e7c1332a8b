//! The arithmetic of a separable filter on one plane: a few rows at a time, which stay in the first-level cache until
//! they have been mixed.

use std::array;
use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use crate::ops::kernel::Real;

/// One direction: out[o] = Σᵢ in[i]·taps[o·down − i·up + offset].
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) taps: Vec<f64>,
    pub(super) up: usize,
    pub(super) down: usize,
    pub(super) offset: isize,
    pub(super) outputs: usize,
}

impl Axis {
    /// The transposed map, back to `inputs` numbers: the same formula with o and i exchanged.
    pub(super) fn adjoint(&self, inputs: usize) -> Axis {
        Axis {
            taps: self.taps.iter().rev().copied().collect(),
            up: self.down,
            down: self.up,
            offset: self.taps.len() as isize - 1 - self.offset,
            outputs: inputs,
        }
    }

    /// The tap that output o reads input 0 with, if there were taps everywhere.
    fn end(&self, o: usize) -> isize {
        (o * self.down) as isize + self.offset
    }

    /// The inputs that output o reads.
    fn reads(&self, o: usize, inputs: usize) -> Range<usize> {
        let after = |tap: isize| (tap.max(0) as usize).div_ceil(self.up).min(inputs);
        let end = self.end(o);
        after(end + 1 - self.taps.len() as isize)..after(end + 1)
    }
}

/// The filter in both directions.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    /// Vertical, horizontal.
    pub(super) axes: [Axis; 2],
}

/// Rows of the result that are worked on together. What has just been written is slow to read shifted by a number or two,
/// so each step is done for several rows before the next one begins.
const BLOCK: usize = 8;

/// The filter made ready for planes of one size: a division takes longer than the sums of a few pixels.
pub(super) struct Plan<T> {
    width: usize,
    columns: usize,
    lines: Lines<T>,
    /// What every row of the result reads.
    rows: Vec<Reads<T>>,
    /// Rows that a block reads at most, as a power of two.
    kept: usize,
}

/// The inputs that an output reads, and their taps.
struct Reads<T> {
    inputs: Range<usize>,
    taps: Vec<T>,
}

/// The inputs that a block of outputs reads, with those between them.
fn inputs<T>(block: &[Reads<T>]) -> Range<usize> {
    let last = block.iter().map(|reads| reads.inputs.end).max().unwrap_or(0);
    block.iter().map(|reads| reads.inputs.start).min().unwrap_or(0).min(last)..last
}

impl<T: Real> Plan<T> {
    /// For planes of so many rows and columns.
    pub(super) fn new(filter: &Filter, size: [usize; 2]) -> Plan<T> {
        let [vertical, horizontal] = &filter.axes;
        let reads = |o: usize| {
            let inputs = vertical.reads(o, size[0]);
            let tap = |i: usize| T::of(vertical.taps[(vertical.end(o) - (i * vertical.up) as isize) as usize]);
            Reads { taps: inputs.clone().map(tap).collect(), inputs }
        };
        let rows: Vec<Reads<T>> = (0..vertical.outputs).map(reads).collect();
        let most = rows.chunks(BLOCK).map(|block| inputs(block).len()).max().unwrap_or(0);
        let (columns, lines) = (horizontal.outputs, Lines::new(horizontal, size[1]));
        Plan { width: size[1], columns, lines, rows, kept: most.next_power_of_two() }
    }

    /// Numbers of scratch for a plane.
    pub(super) fn scratch(&self) -> usize {
        self.kept * (self.lines.down * self.lines.reach + self.columns)
    }
}

/// A padded, upsampled line, dealt out to `down` lines: number p of it is number p / `down` of line p % `down`. Outputs
/// next to each other then read numbers next to each other.
struct Lines<T> {
    up: usize,
    down: usize,
    /// Numbers of one of the lines.
    reach: usize,
    /// The first input that is read, and where it goes on the padded, upsampled line.
    first: usize,
    place: usize,
    /// Where output 0 reads, line after line, and the taps.
    terms: Vec<(usize, T)>,
}

impl<T: Real> Lines<T> {
    fn new(axis: &Axis, inputs: usize) -> Lines<T> {
        let (count, up, down) = (axis.taps.len(), axis.up, axis.down);
        let reach = axis.outputs + (count - 1) / down;
        let start = count as isize - 1 - axis.offset;
        let first = ((-start).max(0) as usize).div_ceil(up).min(inputs);
        let term = |t: usize| (t % down * reach + t / down, T::of(axis.taps[count - 1 - t]));
        let place = (start + (first * up) as isize).max(0) as usize;
        Lines { up, down, reach, first, place, terms: (0..count).map(term).collect() }
    }

    /// Deals the numbers of a line out to `lines`, which hold zeros elsewhere.
    #[inline(always)]
    fn deal(&self, x: &[T], lines: &mut [T]) {
        let (x, place, reach) = (&x[self.first..], self.place, self.reach);
        match (self.up, self.down) {
            (1, 1) => {
                let lines = &mut lines[place.min(reach)..];
                let len = x.len().min(lines.len());
                lines[..len].copy_from_slice(&x[..len]);
            }
            (2, 1) => {
                let (pairs, last) = lines[place.min(reach)..].as_chunks_mut::<2>();
                pairs.iter_mut().zip(x).for_each(|(pair, &x)| *pair = [x, T::ZERO]);
                if let ([last], Some(&x)) = (last, x.get(pairs.len())) {
                    *last = x;
                }
            }
            (1, 2) => {
                let (even, odd) = lines.split_at_mut(reach);
                let (x, place) = match x {
                    [one, rest @ ..] if place % 2 == 1 => {
                        if let Some(number) = odd.get_mut(place / 2) {
                            *number = *one;
                        }
                        (rest, place + 1)
                    }
                    all => (all, place),
                };
                let place = (place / 2).min(reach);
                let (even, odd) = (&mut even[place..], &mut odd[place..]);
                let (pairs, last) = x.as_chunks::<2>();
                for ((even, odd), &[a, b]) in even.iter_mut().zip(odd).zip(pairs) {
                    (*even, *odd) = (a, b);
                }
                if let (Some(even), &[a]) = (even.get_mut(pairs.len()), last) {
                    *even = a;
                }
            }
            (up, down) => {
                for (i, &x) in x.iter().enumerate() {
                    let p = place + i * up;
                    if p / down < reach {
                        lines[p % down * reach + p / down] = x;
                    }
                }
            }
        }
    }
}

/// One plane.
pub(super) struct Plane<'a, T> {
    pub(super) plan: &'a Plan<T>,
    pub(super) x: &'a [T],
    /// [`Plan::scratch`] numbers.
    pub(super) scratch: &'a mut [T],
    pub(super) out: &'a mut [MaybeUninit<T>],
}

impl<T: Real> WithSimd for Plane<'_, T> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Plane { plan: Plan { width, columns, lines, rows, kept }, x, scratch, out } = self;
        let (width, columns, line) = (*width, *columns, lines.down * lines.reach);
        let (dealt, filtered) = scratch.split_at_mut(kept * line);
        dealt.fill(T::ZERO);
        let slot = |i: usize| i & (kept - 1);
        let mut next = 0;
        for (rows, out) in rows.chunks(BLOCK).zip(out.chunks_mut(BLOCK * columns)) {
            let inputs = inputs(rows);
            let fresh = inputs.start.max(next)..inputs.end;
            for i in fresh.clone() {
                lines.deal(&x[i * width..(i + 1) * width], &mut dealt[slot(i) * line..][..line]);
            }
            for i in fresh {
                let from = &dealt[slot(i) * line..][..line];
                let term = |t: usize| (&from[lines.terms[t].0..], lines.terms[t].1);
                combine(as_uninit(&mut filtered[slot(i) * columns..][..columns]), lines.terms.len(), term);
            }
            next = next.max(inputs.end);
            for (Reads { inputs, taps }, out) in rows.iter().zip(out.chunks_exact_mut(columns)) {
                combine(out, taps.len(), |t| (&filtered[slot(inputs.start + t) * columns..], taps[t]));
            }
        }
    }
}

/// Numbers as memory to be written.
fn as_uninit<T: Real>(numbers: &mut [T]) -> &mut [MaybeUninit<T>] {
    // SAFETY: the layout is the same, and only numbers are written through it.
    unsafe { std::slice::from_raw_parts_mut(numbers.as_mut_ptr().cast(), numbers.len()) }
}

/// Writes the sum of `count` lines, each times a number. The lines may be longer than `out`.
#[inline(always)]
fn combine<'a, T: Real>(out: &mut [MaybeUninit<T>], count: usize, term: impl Fn(usize) -> (&'a [T], T)) {
    match count {
        0 => out.fill(MaybeUninit::new(T::ZERO)),
        1 => write(out, array::from_fn::<_, 1, _>(&term)),
        2 => write(out, array::from_fn::<_, 2, _>(&term)),
        3 => write(out, array::from_fn::<_, 3, _>(&term)),
        _ => write(out, array::from_fn::<_, 4, _>(&term)),
    }
    for (line, tap) in (4..count).map(term) {
        for (out, &x) in out.iter_mut().zip(line) {
            // SAFETY: the first four lines have been written.
            let before = unsafe { out.assume_init() };
            out.write(before + x * tap);
        }
    }
}

#[inline(always)]
fn write<T: Real, const N: usize>(out: &mut [MaybeUninit<T>], terms: [(&[T], T); N]) {
    let len = out.len();
    let lines = terms.map(|(line, _)| &line[..len]);
    let taps = terms.map(|(_, tap)| tap);
    for (j, out) in out.iter_mut().enumerate() {
        // SAFETY: the lines have been cut to the length of `out`. With a test for it in the loop, the last numbers of
        // every row are computed one by one.
        let number = |i: usize| unsafe { *lines[i].get_unchecked(j) } * taps[i];
        let mut total = number(0);
        for i in 1..N {
            total += number(i);
        }
        out.write(total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::level::run;

    /// The sum that defines one direction.
    fn defined(axis: &Axis, inputs: usize, o: usize) -> impl Iterator<Item = (usize, f64)> {
        let tap = move |i: usize| axis.end(o) - (i * axis.up) as isize;
        (0..inputs).filter_map(move |i| Some((i, *axis.taps.get(usize::try_from(tap(i)).ok()?)?)))
    }

    fn check(filter: &Filter, [height, width]: [usize; 2], what: &str) {
        let x: Vec<f64> = (0..height * width).map(|i| ((i * 37 % 101) as f64 - 50.0) / 50.0).collect();
        let [vertical, horizontal] = &filter.axes;
        let plan = Plan::new(filter, [height, width]);
        let mut scratch = vec![f64::NAN; plan.scratch()];
        let mut out = vec![f64::NAN; vertical.outputs * horizontal.outputs];
        run(Plane { plan: &plan, x: &x, scratch: &mut scratch, out: as_uninit(&mut out) });
        for (place, found) in out.iter().enumerate() {
            let (row, column) = (place / horizontal.outputs, place % horizontal.outputs);
            let of_row = |(i, a): (usize, f64)| -> f64 {
                defined(horizontal, width, column).map(|(j, b)| x[i * width + j] * a * b).sum()
            };
            let expected: f64 = defined(vertical, height, row).map(of_row).sum();
            assert!((found - expected).abs() < 1e-12, "{what}: {found} at {row}, {column}, expected {expected}");
        }
    }

    #[test]
    fn planes_are_the_sums_that_define_them() {
        let taps: Vec<f64> = (1..=6).map(|tap| 1.0 / f64::from(tap)).collect();
        for (up, down, count) in (0..54).map(|i| (i % 3 + 1, i / 3 % 3 + 1, i / 9 + 1)) {
            for (before, after, size) in (0..48).map(|i| (i % 4, i / 4 % 3, [1, 2, 5, 19][i / 12])) {
                let axis = |size: usize| {
                    let rest = (size * up + before + after).checked_sub(count)?;
                    let offset = count as isize - 1 - before as isize;
                    Some(Axis { taps: taps[..count].to_vec(), up, down, offset, outputs: rest / down + 1 })
                };
                let (Some(vertical), Some(horizontal)) = (axis(size), axis(size + 1)) else {
                    continue;
                };
                let what = format!("up {up}, down {down}, {count} taps, padding {before} and {after}, size {size}");
                let adjoint = Filter { axes: [vertical.adjoint(size), horizontal.adjoint(size + 1)] };
                let outputs = [vertical.outputs, horizontal.outputs];
                check(&Filter { axes: [vertical, horizontal] }, [size, size + 1], &what);
                check(&adjoint, outputs, &format!("adjoint of {what}"));
            }
        }
    }
}
