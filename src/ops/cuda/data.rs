//! From data sets to networks, and distances between features.

use candle_core::cuda::CudaStorageSlice;
use candle_core::{CudaStorage, Result, Shape};

use super::launch::{
    Arg, Float, Grid, Module, Operand, THREADS, address, alike, count, kernel, launch, numbers, output,
};

/// Side of the squares of distances that a block computes.
const TILE: usize = 16;
const _: () = assert!(TILE * TILE == THREADS as usize);

/// Bytes `[N, H, W, 3]` → `[N, 3, H, W]` in [-1, 1]; `mirrored` holds a byte per image, not 0 where it is to be flipped.
pub(crate) fn pictures(bytes: Operand, mirrored: Option<Operand>) -> Result<(CudaStorage, Shape)> {
    let (storage, layout) = bytes;
    let (n, h, w, _) = layout.shape().dims4()?;
    let (from, flips) = (bytes_at(bytes)?, mirrored.map(bytes_at).transpose()?.unwrap_or(0));
    let len = layout.shape().elem_count();
    let (out, address) = output(&storage.device, Float::F32, len)?;
    let packs = count("pictures", len)?;
    let sizes = [packs, h as u32, w as u32].map(Arg::Count);
    let args = [&sizes[..], &[from.into(), flips.into(), address.into()]].concat();
    launch(&storage.device, Module::Data, &kernel("pictures", Float::F32, 1), Grid::over(packs), &args)?;
    Ok((out, (n, 3, h, w).into()))
}

fn bytes_at((storage, layout): Operand) -> Result<u64> {
    match (&storage.slice, layout.contiguous_offsets()) {
        (CudaStorageSlice::U8(slice), Some((start, _))) => Ok(address(slice) + start as u64),
        _ => candle_core::bail!("pictures: expected contiguous bytes"),
    }
}

/// Points `[N, M, 3]` (x, y in pixels, presence) → maps `[N, M, size]` of −1 with discs of 1.
pub(crate) fn pose_maps(size: [usize; 2], radius: f64, points: Operand) -> Result<(CudaStorage, Shape)> {
    let (storage, layout) = points;
    let (n, m, _) = layout.shape().dims3()?;
    let [h, w] = size;
    let from = numbers("pose_maps", points)?;
    if from.float != Float::F32 {
        candle_core::bail!("pose maps: found {:?} points, expected F32", from.float);
    }
    let (out, address) = output(&storage.device, Float::F32, n * m * h * w)?;
    let pixels = count("pose_maps", n * m * h * w)?;
    let sizes = [pixels, h as u32, w as u32].map(Arg::Count);
    let args = [&sizes[..], &[Arg::Number(radius as f32), from.into(), address.into()]].concat();
    launch(&storage.device, Module::Data, &kernel("pose_maps", Float::F32, 1), Grid::over(pixels), &args)?;
    Ok((out, (n, m, h, w).into()))
}

/// Squared distances between the rows of `[A, D]` and `[B, D]`: `[A, B]`.
pub(crate) fn distances(queries: Operand, references: Operand) -> Result<(CudaStorage, Shape)> {
    let (storage, layout) = queries;
    let (rows, size) = layout.shape().dims2()?;
    let (columns, _) = references.1.shape().dims2()?;
    let [queries, references] = alike("distances", [queries, references])?;
    if queries.float != Float::F32 {
        candle_core::bail!("distances: found {:?}, expected F32", queries.float);
    }
    let (out, address) = output(&storage.device, Float::F32, rows * columns)?;
    count("distances", rows * columns)?;
    let tiles = rows.div_ceil(TILE) * columns.div_ceil(TILE);
    if tiles > 0 {
        let sizes = [rows, columns, size].map(|n| Arg::Count(n as u32));
        let args = [&sizes[..], &[queries.into(), references.into(), address.into()]].concat();
        launch(&storage.device, Module::Data, "distances_f32", Grid(tiles as u32, 1), &args)?;
    }
    Ok((out, (rows, columns).into()))
}
