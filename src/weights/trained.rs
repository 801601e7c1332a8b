//! Files of small networks that this library trained itself: tensors, and what they are of.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Tensor;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::safetensors;
use crate::{Error, Result};

#[derive(Serialize, Deserialize)]
struct Header<A> {
    kind: String,
    about: A,
}

/// Writes the weights of a network of this kind, with what is needed to build it again.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn save(
    path: impl AsRef<Path>,
    kind: &str,
    about: &impl Serialize,
    tensors: &BTreeMap<String, Tensor>,
) -> Result<()> {
    safetensors::write(path, tensors, &header(kind, about)?)
}

/// The network that `build` makes of what [`save`] has written; `command` says what writes such files.
///
/// # Errors
/// When the file cannot be read, is of another kind, or its tensors do not fit.
pub(crate) fn open<A: DeserializeOwned, N>(
    path: impl AsRef<Path>,
    kind: &str,
    command: &str,
    build: impl FnOnce(BTreeMap<String, Tensor>, A) -> Result<N>,
) -> Result<N> {
    let path = path.as_ref();
    let file = safetensors::read(path)?;
    let header = file.metadata.get(safetensors::ABOUT).and_then(|text| serde_json::from_str::<Header<A>>(text).ok());
    let expected = format!("weights of a {kind}");
    match header.filter(|header| header.kind == kind) {
        Some(header) => {
            build(file.tensors, header.about).map_err(|error| Error::file(path, error.to_string(), expected, ""))
        }
        None => {
            let hint = format!("`{command}` writes one.");
            Err(Error::file(path, "weights of something else", expected, hint))
        }
    }
}

/// A text that differs whenever a number or a setting does: a step does not go on with another network.
///
/// # Errors
/// When memory runs out.
pub(crate) fn fingerprint(kind: &str, about: &impl Serialize, tensors: &BTreeMap<String, Tensor>) -> Result<String> {
    let bytes = safetensors::serialize(tensors, &header(kind, about)?)?;
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

fn header(kind: &str, about: &impl Serialize) -> Result<String> {
    serde_json::to_string(&Header { kind: kind.to_string(), about })
        .map_err(|error| Error::invalid(kind, error.to_string(), "settings that JSON can hold", ""))
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_file_says_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensors = |v: f32| BTreeMap::from([("a".to_string(), Tensor::new(&[v, 2.0], &Device::Cpu).unwrap())]);
        save(&path, "reader", &vec![3, 4], &tensors(1.0)).unwrap();
        let both = |found: BTreeMap<String, Tensor>, about: Vec<i32>| Ok((about, found["a"].to_vec1::<f32>()?));
        assert_eq!(open(&path, "reader", "x", both).unwrap(), (vec![3, 4], vec![1.0, 2.0]));
        let message = open(&path, "detector", "tachie data train", both).unwrap_err().to_string();
        assert!(message.contains("weights of a detector") && message.contains("`tachie data train`"), "{message}");
        assert!(open(&path, "reader", "x", |_, about: String| Ok(about)).is_err());
        let unfit = |_, _: Vec<i32>| -> Result<()> { Err(Error::invalid("a", "2 numbers", "3", "")) };
        let message = open(&path, "reader", "x", unfit).unwrap_err().to_string();
        assert!(message.contains("2 numbers") && message.contains("weights of a reader"), "{message}");
        let print = |kind, about: i32, v| fingerprint(kind, &about, &tensors(v)).unwrap();
        assert_eq!(print("a", 1, 1.0), print("a", 1, 1.0));
        assert!(print("a", 1, 1.0) != print("a", 1, 1.5) && print("a", 1, 1.0) != print("a", 2, 1.0));
    }
}
