//! Many pictures through a network, a few at a time.

use std::ops::Range;

use candle_core::Tensor;

use crate::{Error, Result};

/// Pictures that go through a network at once.
const CHUNK: usize = 16;

/// What `make` gives for 0..n, in chunks that follow each other, joined along the first axis.
///
/// # Errors
/// Those of `make`; when n is 0, of `what`.
pub(crate) fn in_chunks(what: &str, n: usize, mut make: impl FnMut(Range<usize>) -> Result<Tensor>) -> Result<Tensor> {
    let made = (0..n).step_by(CHUNK).map(|start| make(start..n.min(start + CHUNK))).collect::<Result<Vec<_>>>()?;
    match made.is_empty() {
        true => Err(Error::invalid(what, "none", "at least one", "")),
        false => Ok(Tensor::cat(&made, 0)?),
    }
}

/// Rows of a tensor.
pub(crate) fn rows(tensor: &Tensor, range: &Range<usize>) -> Result<Tensor> {
    Ok(tensor.narrow(0, range.start, range.len())?.contiguous()?)
}
