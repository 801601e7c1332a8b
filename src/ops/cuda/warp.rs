//! Planes read along straight lines, and the adjoint.

use candle_core::Shape;

use super::launch::{Arg, Grid, Module, OnGpu, Operand, address, count, kernel, launch, numbers, output};

/// What numbers of maps are below: a thread walks over every mirror image in which its pixel is read, one by one.
const FAR: f64 = 1e6;

/// Planes of `from` (height, width) that are read for planes of `to`.
pub(crate) struct Reading<'a> {
    /// Two rows of three numbers for each picture: where a pixel is read across and down.
    pub(crate) maps: &'a [[[f64; 3]; 2]],
    pub(crate) from: [usize; 2],
    pub(crate) to: [usize; 2],
    /// Whether mirror images lie outside, and not nothing.
    pub(crate) mirrored: bool,
}

impl Reading<'_> {
    /// x `[N, C, from]` → `[N, C, to]`.
    pub(crate) fn read(&self, x: Operand) -> OnGpu<1> {
        self.run("warp", x, self.to)
    }

    /// u `[N, C, to]` → Σ u · ∂(read)/∂x, `[N, C, from]`.
    pub(crate) fn adjoint(&self, u: Operand) -> OnGpu<1> {
        self.run("warp_adjoint", u, self.from)
    }

    fn run(&self, name: &str, operand: Operand, [rows, columns]: [usize; 2]) -> OnGpu<1> {
        let device = &operand.0.device;
        let (n, channels, _, _) = operand.1.shape().dims4()?;
        let from = numbers(name, operand)?;
        count(name, from.len)?;
        let pixels = count(name, n * channels * rows * columns)?;
        let maps = self.maps.as_flattened().as_flattened();
        if let Some(number) = maps.iter().find(|number| number.abs() >= FAR) {
            candle_core::bail!("{name}: found {number} in a map, expected numbers below {FAR:e} on a GPU");
        }
        let maps = device.clone_htod(maps)?;
        let (out, to) = output(device, from.float, pixels as usize)?;
        let [[h, w], [high, wide]] = [self.from, self.to];
        let sizes = [pixels, channels as u32, h as u32, w as u32, high as u32, wide as u32].map(Arg::Count);
        let more = [Arg::Count(self.mirrored.into()), address(&maps).into(), from.into(), to.into()];
        launch(device, Module::Warp, &kernel(name, from.float, 1), Grid::over(pixels), &[&sizes[..], &more].concat())?;
        Ok([(out, Shape::from((n, channels, rows, columns)))])
    }
}
