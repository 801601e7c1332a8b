//! What stands before and behind a network: bytes to pictures, key points to maps, distances between features. Nothing
//! here is differentiated.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, DType, Layout, Shape, Tensor};
use rayon::prelude::*;

use super::kernel::{filled, view};
use crate::{Error, Result};

/// Bytes `[N, H, W, 3]` (u8, as images are stored) → pictures `[N, 3, H, W]`, f32 in [-1, 1]: v / 127.5 − 1. Pictures whose
/// number in `mirrored` (`[N]`, u8) is not 0 are flipped left to right. Bytes travel to a GPU four times faster than f32.
///
/// # Errors
/// When the shapes or types are others.
pub fn pictures(bytes: &Tensor, mirrored: Option<&Tensor>) -> Result<Tensor> {
    let &[n, _, _, 3] = bytes.dims() else {
        return Err(Error::shape("pictures: bytes", bytes.dims(), "[N, H, W, 3]"));
    };
    let types = [Some(bytes), mirrored].into_iter().flatten().map(Tensor::dtype);
    if let Some(other) = types.into_iter().find(|&dtype| dtype != DType::U8) {
        return Err(Error::invalid("pictures: type", format!("{other:?}"), "U8", ""));
    }
    let bytes = bytes.contiguous()?;
    match mirrored {
        None => Ok(bytes.apply_op1_no_bwd(&Pictures)?),
        Some(flips) if flips.dims() == [n] => Ok(bytes.apply_op2_no_bwd(&flips.contiguous()?, &Pictures)?),
        Some(flips) => Err(Error::shape("pictures: mirrored", flips.dims(), format!("[{n}]"))),
    }
}

/// Key points `[N, M, 3]` (x and y in pixels of the map, the third above 0 where the point is known; f32) → maps
/// `[N, M, height, width]`: 1 at pixels at most `radius` from the point's own pixel (⌊x⌋, ⌊y⌋), −1 elsewhere. The channel of a
/// point that is unknown or outside the map is −1 all over (PSGAN, Hamada et al. 2018, section 3; radius 0 there).
///
/// # Errors
/// When the shape or type is another, or the map is empty.
pub fn pose_maps(points: &Tensor, [height, width]: [usize; 2], radius: f64) -> Result<Tensor> {
    let (&[_, _, 3], DType::F32) = (points.dims(), points.dtype()) else {
        return Err(Error::shape("pose maps: points", points.dims(), "[N, M, 3] of F32"));
    };
    if height * width == 0 || radius.is_nan() || radius < 0.0 {
        let found = format!("{height}×{width} pixels, radius {radius}");
        return Err(Error::invalid("pose maps", found, "at least one pixel, a radius of at least 0", ""));
    }
    Ok(points.contiguous()?.apply_op1_no_bwd(&PoseMaps { size: [height, width], radius })?)
}

/// Squared Euclidean distances between the rows of `queries` `[A, D]` and of `references` `[B, D]` (f32) → `[A, B]`, summed from
/// differences, so that near rows keep their digits.
///
/// # Errors
/// When the shapes or types do not fit.
pub fn squared_distances(queries: &Tensor, references: &Tensor) -> Result<Tensor> {
    for (what, tensor) in [("distances: queries", queries), ("distances: references", references)] {
        if tensor.rank() != 2 || tensor.dtype() != DType::F32 || tensor.dims()[1] != queries.dims()[1] {
            return Err(Error::shape(what, tensor.dims(), "[rows, D] of F32 with one D"));
        }
    }
    Ok(queries.contiguous()?.apply_op2_no_bwd(&references.contiguous()?, &Distances)?)
}

struct Pictures;

impl Pictures {
    fn cpu(
        &self,
        (bytes, layout): (&CpuStorage, &Layout),
        flips: Option<&[u8]>,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, h, w, _) = layout.shape().dims4()?;
        let bytes = bytes_of(bytes, layout)?;
        let rows = |plane: usize| (0..h).map(move |y| (plane / 3 * h + y) * w * 3 + plane % 3);
        // SAFETY: every plane is written by its own task, row by row and pixel by pixel.
        let out = unsafe {
            filled(bytes.len(), |out| {
                out.par_chunks_mut((h * w).max(1)).enumerate().for_each(|(plane, out)| {
                    let flipped = flips.is_some_and(|flips| flips[plane / 3] != 0);
                    for (from, row) in rows(plane).zip(out.chunks_mut(w.max(1))) {
                        for (x, out) in row.iter_mut().enumerate() {
                            let x = if flipped { w - 1 - x } else { x };
                            out.write(f32::from(bytes[from + 3 * x]) / 127.5 - 1.0);
                        }
                    }
                });
            })
        };
        Ok((CpuStorage::F32(out), (n, 3, h, w).into()))
    }
}

fn bytes_of<'a>(storage: &'a CpuStorage, layout: &Layout) -> candle_core::Result<&'a [u8]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::U8(all), Some((start, end))) => Ok(&all[start..end]),
        _ => candle_core::bail!("pictures: expected contiguous bytes"),
    }
}

impl CustomOp1 for Pictures {
    fn name(&self) -> &'static str {
        "pictures"
    }

    fn cpu_fwd(&self, bytes: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        self.cpu((bytes, layout), None)
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        bytes: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        super::cuda::data::pictures((bytes, layout), None)
    }
}

impl CustomOp2 for Pictures {
    fn name(&self) -> &'static str {
        "pictures"
    }

    fn cpu_fwd(
        &self,
        bytes: &CpuStorage,
        layout: &Layout,
        flips: &CpuStorage,
        flips_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        self.cpu((bytes, layout), Some(bytes_of(flips, flips_layout)?))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        bytes: &candle_core::CudaStorage,
        layout: &Layout,
        flips: &candle_core::CudaStorage,
        flips_layout: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        super::cuda::data::pictures((bytes, layout), Some((flips, flips_layout)))
    }
}

struct PoseMaps {
    size: [usize; 2],
    radius: f64,
}

impl CustomOp1 for PoseMaps {
    fn name(&self) -> &'static str {
        "pose_maps"
    }

    fn cpu_fwd(&self, points: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        let (n, m, _) = layout.shape().dims3()?;
        let points = view::<f32>(points, layout, "pose_maps")?;
        let [h, w] = self.size;
        let mut maps = vec![-1.0f32; n * m * h * w];
        maps.par_chunks_mut(h * w).zip(points.par_chunks(3)).for_each(|(map, point)| {
            let (x, y) = (point[0].floor(), point[1].floor());
            if point[2] > 0.0 && (0.0..w as f32).contains(&x) && (0.0..h as f32).contains(&y) {
                stamp(map, w, [x as isize, y as isize], self.radius);
            }
        });
        Ok((CpuStorage::F32(maps), (n, m, h, w).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        points: &candle_core::CudaStorage,
        layout: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        super::cuda::data::pose_maps(self.size, self.radius, (points, layout))
    }
}

/// Sets the pixels of a disc that lie on the map to 1.
fn stamp(map: &mut [f32], width: usize, [x, y]: [isize; 2], radius: f64) {
    let reach = radius as isize;
    for (row, line) in map.chunks_mut(width).enumerate().skip((y - reach).max(0) as usize) {
        let dy = row as isize - y;
        if dy > reach {
            return;
        }
        for (column, pixel) in line.iter_mut().enumerate() {
            let dx = column as isize - x;
            if (dx * dx + dy * dy) as f64 <= radius * radius {
                *pixel = 1.0;
            }
        }
    }
}

struct Distances;

impl CustomOp2 for Distances {
    fn name(&self) -> &'static str {
        "squared_distances"
    }

    fn cpu_fwd(
        &self,
        queries: &CpuStorage,
        queries_layout: &Layout,
        references: &CpuStorage,
        references_layout: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (rows, size) = queries_layout.shape().dims2()?;
        let (columns, _) = references_layout.shape().dims2()?;
        let queries = view::<f32>(queries, queries_layout, "squared_distances")?;
        let references = view::<f32>(references, references_layout, "squared_distances")?;
        let distance = |i: usize| {
            let (a, b) = (&queries[i / columns * size..][..size], &references[i % columns * size..][..size]);
            super::kernel::sum2(a, b, |a, b| (a - b) * (a - b)) as f32
        };
        let all = (0..rows * columns).into_par_iter().with_min_len(64).map(distance).collect();
        Ok((CpuStorage::F32(all), (rows, columns).into()))
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        queries: &candle_core::CudaStorage,
        queries_layout: &Layout,
        references: &candle_core::CudaStorage,
        references_layout: &Layout,
    ) -> candle_core::Result<(candle_core::CudaStorage, Shape)> {
        super::cuda::data::distances((queries, queries_layout), (references, references_layout))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn bytes_become_planes_and_flip() {
        let bytes: Vec<u8> = (0..12).map(|i| i * 20).collect();
        let bytes = Tensor::from_vec([bytes.clone(), bytes].concat(), (2, 2, 2, 3), &Device::Cpu).unwrap();
        let flips = Tensor::new(&[0u8, 1], &Device::Cpu).unwrap();
        let pictures = pictures(&bytes, Some(&flips)).unwrap();
        assert_eq!(pictures.dims(), [2, 3, 2, 2]);
        let numbers = pictures.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let of = |values: [u8; 4]| values.map(|v| f32::from(v) / 127.5 - 1.0);
        assert_eq!(numbers[..4], of([0, 60, 120, 180]));
        assert_eq!(numbers[4..8], of([20, 80, 140, 200]));
        assert_eq!(numbers[12..16], of([60, 0, 180, 120]));
    }

    #[test]
    fn points_are_stamped_where_they_are_known() {
        let points = [[1.9f32, 0.0, 1.0], [3.0, 1.0, 0.0], [4.0, 1.0, 1.0], [-0.1, 1.0, 1.0]];
        let points = Tensor::new(&[points], &Device::Cpu).unwrap();
        let map = |radius| {
            let maps = pose_maps(&points, [3, 4], radius).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let ones = maps.iter().enumerate().filter(|(_, value)| **value == 1.0).map(|(i, _)| i);
            (ones.collect::<Vec<_>>(), maps.iter().filter(|value| **value == -1.0).count())
        };
        assert_eq!(map(0.0), (vec![1], 47));
        assert_eq!(map(1.0), (vec![0, 1, 2, 5], 44));
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        let queries = Tensor::new(&[[0f32, 0.0], [3.0, 4.0]], &Device::Cpu).unwrap();
        let references = Tensor::new(&[[0f32, 1.0], [3.0, 4.0], [6.0, 8.0]], &Device::Cpu).unwrap();
        let found = squared_distances(&queries, &references).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found, [[1.0, 25.0, 100.0], [18.0, 0.0, 25.0]]);
        assert!(squared_distances(&queries, &Tensor::new(&[[0f32]], &Device::Cpu).unwrap()).is_err());
    }
}
