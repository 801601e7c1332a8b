//! Sliding windows over planes: means inside a window, mirrored borders, halving.

/// A plane of numbers, row by row.
pub(super) struct Plane {
    pub height: usize,
    pub width: usize,
    pub values: Vec<f64>,
}

/// The weights of a window that is the same in both directions; they sum to 1.
pub(super) enum Window {
    /// A square of this many pixels each way, all with one weight.
    Uniform(usize),
    /// Weights of rows and of columns.
    Weighted(Vec<f64>),
}

impl Window {
    /// `size` taps of a Gaussian around the middle of the window; its deviation is 1.5 for 11 taps and shrinks with them.
    pub(super) fn gaussian(size: usize) -> Window {
        let deviation = size as f64 * 1.5 / 11.0;
        let offset = |k: usize| (k as f64 - (size - 1) as f64 / 2.0) / deviation;
        let taps: Vec<f64> = (0..size).map(|k| (-offset(k) * offset(k) / 2.0).exp()).collect();
        let sum: f64 = taps.iter().sum();
        Window::Weighted(taps.iter().map(|tap| tap / sum).collect())
    }

    /// Pixels each way.
    pub(super) fn size(&self) -> usize {
        match self {
            Window::Uniform(size) => *size,
            Window::Weighted(taps) => taps.len(),
        }
    }

    /// Means in all windows that lie inside the plane of `height` rows of `width` values:
    /// (height − size + 1) rows of (width − size + 1). The plane is at least as large as the window.
    pub(super) fn means(&self, height: usize, width: usize, values: &[f64]) -> Vec<f64> {
        let (rows, columns) = (height + 1 - self.size(), width + 1 - self.size());
        let mut along = vec![0.0; height * columns];
        for (along, line) in along.chunks_exact_mut(columns).zip(values.chunks_exact(width)) {
            self.along_row(line, along);
        }
        let mut means = vec![0.0; rows * columns];
        match self {
            Window::Uniform(size) => uniform_down(&along, *size, columns, &mut means),
            Window::Weighted(taps) => {
                for (y, means) in means.chunks_exact_mut(columns).enumerate() {
                    for (k, tap) in taps.iter().enumerate() {
                        let row = &along[(y + k) * columns..(y + k + 1) * columns];
                        means.iter_mut().zip(row).for_each(|(mean, value)| *mean += tap * value);
                    }
                }
            }
        }
        means
    }

    fn along_row(&self, line: &[f64], out: &mut [f64]) {
        match self {
            // One sum after the other, since a running sum along the row would wait for itself.
            Window::Uniform(size) => {
                for k in 0..*size {
                    out.iter_mut().zip(&line[k..]).for_each(|(out, value)| *out += value);
                }
            }
            Window::Weighted(taps) => {
                for (k, tap) in taps.iter().enumerate() {
                    out.iter_mut().zip(&line[k..]).for_each(|(out, value)| *out += tap * value);
                }
            }
        }
    }
}

/// Running sums down the columns, divided by the window's area. Of whole numbers, as pixels and their products are, the
/// sums are exact.
fn uniform_down(along: &[f64], size: usize, columns: usize, means: &mut [f64]) {
    let scale = 1.0 / (size * size) as f64;
    let row = |y: usize| &along[y * columns..(y + 1) * columns];
    let mut sums = vec![0.0; columns];
    for y in 0..size - 1 {
        sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value);
    }
    for (y, means) in means.chunks_exact_mut(columns).enumerate() {
        sums.iter_mut().zip(row(y + size - 1)).for_each(|(sum, entering)| *sum += entering);
        means.iter_mut().zip(&sums).for_each(|(mean, sum)| *mean = sum * scale);
        sums.iter_mut().zip(row(y)).for_each(|(sum, leaving)| *sum -= leaving);
    }
}

impl Plane {
    /// The plane with a border of `by` pixels that mirrors it, the edge itself not repeated; `by` is below its size.
    pub(super) fn mirrored(&self, by: usize) -> Plane {
        let (height, width) = (self.height + 2 * by, self.width + 2 * by);
        let columns: Vec<usize> = (0..width).map(|x| mirror(x as isize - by as isize, self.width)).collect();
        let mut values = Vec::with_capacity(height * width);
        for y in 0..height {
            let from = mirror(y as isize - by as isize, self.height) * self.width;
            values.extend(columns.iter().map(|x| self.values[from + x]));
        }
        Plane { height, width, values }
    }

    /// Means of squares of 2 × 2 pixels; an odd last row or column is left out.
    pub(super) fn halved(&self) -> Plane {
        let (height, width) = (self.height / 2, self.width / 2);
        let square = |i: usize| {
            let at = i / width * 2 * self.width + i % width * 2;
            let below = at + self.width;
            (self.values[at] + self.values[at + 1] + self.values[below] + self.values[below + 1]) / 4.0
        };
        Plane { height, width, values: (0..height * width).map(square).collect() }
    }
}

/// Index `i` mirrored into 0..n at the centres of the first and last pixel.
pub(super) fn mirror(i: isize, n: usize) -> usize {
    let last = n as isize - 1;
    if last == 0 {
        return 0;
    }
    let i = i.rem_euclid(2 * last);
    if i > last { (2 * last - i) as usize } else { i as usize }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn plane(height: usize, width: usize) -> Plane {
        let mut stream = Seed(6).stream("plane");
        let values = (0..height * width).map(|_| stream.below(256) as f64).collect();
        Plane { height, width, values }
    }

    #[test]
    fn means_are_those_of_the_plain_definition() {
        let plane = plane(13, 17);
        for window in [Window::Uniform(7), Window::gaussian(11), Window::gaussian(4)] {
            let size = window.size();
            let weight = |k: usize| match &window {
                Window::Uniform(size) => 1.0 / *size as f64,
                Window::Weighted(taps) => taps[k],
            };
            let found = window.means(13, 17, &plane.values);
            let columns = 18 - size;
            assert_eq!(found.len(), (14 - size) * columns);
            for (i, found) in found.iter().enumerate() {
                let (y, x) = (i / columns, i % columns);
                let mut expected = 0.0;
                for (dy, dx) in (0..size).flat_map(|dy| (0..size).map(move |dx| (dy, dx))) {
                    expected += weight(dy) * weight(dx) * plane.values[(y + dy) * 17 + x + dx];
                }
                assert!((found - expected).abs() < 1e-10, "{found} and {expected} at {y}, {x}");
            }
        }
    }

    #[test]
    fn borders_mirror_and_halves_are_means() {
        let plane = Plane { height: 2, width: 3, values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0] };
        let wide = plane.mirrored(1);
        assert_eq!((wide.height, wide.width), (4, 5));
        assert_eq!(wide.values[..10], [5.0, 4.0, 5.0, 6.0, 5.0, 2.0, 1.0, 2.0, 3.0, 2.0]);
        assert_eq!(plane.halved().values, [3.0]);
        assert_eq!([-3, -1, 4, 7].map(|i| mirror(i, 4)), [3, 1, 2, 1]);
        assert_eq!(mirror(-2, 1), 0);
    }
}
