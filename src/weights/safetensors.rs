//! safetensors files with text metadata: the one place that reads and writes them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, SafeTensors, View};
use candle_core::{DType, Device, Tensor};

use crate::{Error, Result};

/// Key of the metadata that this project writes; other keys are read and kept.
pub const ABOUT: &str = "tachie";

/// The tensors of a file by name, on the CPU, and its metadata.
#[derive(Clone, Debug)]
pub struct TensorFile {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Texts by key; empty for a file without metadata.
    pub metadata: BTreeMap<String, String>,
}

/// Reads all tensors of a safetensors file. f16 and bf16 become f32.
///
/// # Errors
/// When the file cannot be read, is no whole safetensors file, or holds numbers of another type than floats.
pub fn read(path: impl AsRef<Path>) -> Result<TensorFile> {
    let path = path.as_ref();
    let bytes = std::fs::read(path).map_err(|source| Error::io("read the weights", path, source))?;
    parse(path, &bytes)
}

/// [`read`] of bytes that are in memory; `path` names them in errors.
///
/// # Errors
/// When they are no whole safetensors file, or hold numbers of another type than floats.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<TensorFile> {
    let broken = |error: ::safetensors::SafeTensorError| {
        Error::file(path, error.to_string(), "a whole safetensors file", "Was it downloaded or copied completely?")
    };
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone())).collect();
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let Some(dtype) = float(view.dtype()) else {
            return Err(Error::file(path, format!("{name} of type {:?}", view.dtype()), "floating-point tensors", ""));
        };
        let tensor = Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?;
        let wide = if dtype == DType::F64 { DType::F64 } else { DType::F32 };
        tensors.insert(name.to_string(), tensor.to_dtype(wide)?);
    }
    Ok(TensorFile { tensors, metadata })
}

/// What this project wrote into the metadata of a file; `None` for a file of another program or format. The tensors are
/// not read.
///
/// # Errors
/// When the file cannot be read.
pub fn about(path: impl AsRef<Path>) -> Result<Option<String>> {
    /// Far above the header of any network here.
    const LONGEST: u64 = 64 << 20;
    let path = path.as_ref();
    let io = |source| Error::io("read the weights", path, source);
    let mut file = File::open(path).map_err(io)?;
    let (mut start, mut header) = (Vec::new(), Vec::new());
    (&mut file).take(8).read_to_end(&mut start).map_err(io)?;
    let Ok(length) = <[u8; 8]>::try_from(&start[..]).map(u64::from_le_bytes) else { return Ok(None) };
    if length > LONGEST {
        return Ok(None);
    }
    file.take(length).read_to_end(&mut header).map_err(io)?;
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap_or_default();
    Ok(header["__metadata__"][ABOUT].as_str().map(str::to_string))
}

fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F32 => Some(DType::F32),
        Dtype::F64 => Some(DType::F64),
        _ => None,
    }
}

/// Writes tensors (f16, f32 or f64) with one text of metadata under the key [`ABOUT`]. The file appears under its name only
/// when it is whole: it is written beside it, synced and renamed. Equal input gives equal bytes.
///
/// # Errors
/// When the file cannot be written, or a tensor is of another type.
pub fn write(path: impl AsRef<Path>, tensors: &BTreeMap<String, Tensor>, about: &str) -> Result<()> {
    let path = path.as_ref();
    let bytes = serialize(tensors, about)?;
    super::write_whole(path, &bytes).map_err(|source| Error::io("write the weights", path, source))
}

/// The bytes of a safetensors file, as [`write()`] writes them.
///
/// # Errors
/// When a tensor is of another type.
pub fn serialize(tensors: &BTreeMap<String, Tensor>, about: &str) -> Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let flat = tensor.to_device(&Device::Cpu)?.flatten_all()?;
        let (dtype, bytes) = match tensor.dtype() {
            DType::F32 => (Dtype::F32, bytemuck::cast_slice(&flat.to_vec1::<f32>()?).to_vec()),
            DType::F64 => (Dtype::F64, bytemuck::cast_slice(&flat.to_vec1::<f64>()?).to_vec()),
            DType::F16 => (Dtype::F16, View::data(&flat).into_owned()),
            DType::U8 => (Dtype::U8, flat.to_vec1::<u8>()?),
            other => {
                return Err(Error::invalid(format!("tensor {name}"), format!("{other:?}"), "U8, F16, F32 or F64", ""));
            }
        };
        raw.push((name, dtype, tensor.dims().to_vec(), bytes));
    }
    let failed = |error: ::safetensors::SafeTensorError| Error::Candle(error.to_string());
    let mut views = Vec::with_capacity(raw.len());
    for (name, dtype, shape, bytes) in &raw {
        views.push((name, TensorView::new(*dtype, shape.clone(), bytes).map_err(failed)?));
    }
    // The crate iterates a hash map here, so that more than one entry would come out in changing order.
    let header = HashMap::from([(ABOUT.to_string(), about.to_string())]);
    ::safetensors::serialize(views, Some(header)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensors() -> BTreeMap<String, Tensor> {
        let a = Tensor::new(&[[1f32, 2.0], [3.0, 4.5]], &Device::Cpu).unwrap();
        let b = Tensor::new(&[1f64, f64::MIN_POSITIVE], &Device::Cpu).unwrap();
        BTreeMap::from([("a.weight".into(), a), ("b".into(), b)])
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, &tensors(), "a \"text\"").unwrap();
        let file = read(&path).unwrap();
        assert_eq!(file.metadata, BTreeMap::from([(ABOUT.to_string(), "a \"text\"".to_string())]));
        assert_eq!(file.tensors["a.weight"].to_vec2::<f32>().unwrap(), [[1.0, 2.0], [3.0, 4.5]]);
        assert_eq!(file.tensors["b"].to_vec1::<f64>().unwrap(), [1.0, f64::MIN_POSITIVE]);
        assert_eq!(serialize(&tensors(), "x").unwrap(), serialize(&tensors(), "x").unwrap());
    }

    #[test]
    fn half_precision_is_widened_and_integers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let view = |dtype, bytes| TensorView::new(dtype, vec![2], bytes).unwrap();
        let half = ::safetensors::serialize([("h", view(Dtype::F16, &[0, 0x3c, 0, 0xc0]))], None).unwrap();
        std::fs::write(&path, half).unwrap();
        assert_eq!(read(&path).unwrap().tensors["h"].to_vec1::<f32>().unwrap(), [1.0, -2.0]);
        let bytes = ::safetensors::serialize([("n", view(Dtype::I16, &[1, 0, 2, 0]))], None).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains("n of type I16"), "{message}");
    }

    #[test]
    fn broken_files_are_refused_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let bytes = serialize(&tensors(), "x").unwrap();
        for length in 0..bytes.len() {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains("x.safetensors"), "{message}");
        }
        std::fs::write(&path, u64::MAX.to_le_bytes()).unwrap();
        assert!(read(&path).is_err() && read(folder.path().join("absent")).is_err());
    }
}
