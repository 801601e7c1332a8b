//! What is known of a published file of weights: a TOML file in `data-manifests/weights-*.toml`.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The version of the format that this library reads.
const VERSION: u32 = 1;
/// Fewest digits of a sum that may stand for all of it.
const FEWEST_DIGITS: usize = 8;

/// The manifests that come with this library, by name.
static BUILT_IN: [(&str, &str); 10] = [
    ("weights-alexnet", include_str!("../../data-manifests/weights-alexnet.toml")),
    ("weights-i2v", include_str!("../../data-manifests/weights-i2v.toml")),
    ("weights-i2v-features", include_str!("../../data-manifests/weights-i2v-features.toml")),
    ("weights-inception", include_str!("../../data-manifests/weights-inception.toml")),
    ("weights-lpips-alex", include_str!("../../data-manifests/weights-lpips-alex.toml")),
    ("weights-lpips-squeeze", include_str!("../../data-manifests/weights-lpips-squeeze.toml")),
    ("weights-lpips-vgg", include_str!("../../data-manifests/weights-lpips-vgg.toml")),
    ("weights-squeezenet", include_str!("../../data-manifests/weights-squeezenet.toml")),
    ("weights-vgg16", include_str!("../../data-manifests/weights-vgg16.toml")),
    ("weights-vgg19", include_str!("../../data-manifests/weights-vgg19.toml")),
];

/// A manifest of weights, checked. Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeightsManifest {
    /// Version of the format: 1.
    pub version: u32,
    /// `weights-` and what they are called.
    pub name: String,
    /// One line that says what they are.
    pub title: String,
    /// What `tachie import torch --kind` calls them.
    pub kind: String,
    /// Name of the file.
    pub file: String,
    /// Where its publisher keeps it: https, or http on this machine.
    pub url: String,
    /// SHA-256 of the file: 64 hexadecimal digits, or the first 8 and more where its publisher gives no others.
    /// `None` where the publisher gives none at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its length, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The licence of the weights.
    pub licence: String,
    /// Who made them.
    pub source: String,
    /// Anything else that a user has to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl WeightsManifest {
    /// The manifest of that name (`weights-inception`) that comes with this library.
    ///
    /// # Errors
    /// When there is none; the message has the names.
    pub fn named(name: &str) -> Result<WeightsManifest> {
        match BUILT_IN.iter().find(|(known, _)| *known == name) {
            Some((name, text)) => WeightsManifest::parse(text, Path::new(&format!("{name}.toml"))),
            None => {
                let names = WeightsManifest::names().collect::<Vec<_>>().join(", ");
                Err(Error::invalid("weights", format!("\"{name}\""), names, "A manifest's path does as well."))
            }
        }
    }

    /// The names of the manifests that come with this library.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// Reads and checks a manifest file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML with the keys of a manifest, or says what cannot be.
    pub fn open(path: impl AsRef<Path>) -> Result<WeightsManifest> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|source| Error::io("read the manifest", path, source))?;
        WeightsManifest::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<WeightsManifest> {
        let broken = |error: toml::de::Error| {
            Error::file(path, error.message(), "TOML with the keys of a manifest of weights", "")
        };
        let manifest: WeightsManifest = toml::from_str(text).map_err(broken)?;
        manifest.check(path)?;
        Ok(manifest)
    }

    fn check(&self, path: &Path) -> Result<()> {
        let wrong = |key: &str, found: &str, expected: &str| {
            Err(Error::file(path, format!("{key} = \"{found}\""), expected, "Correct the manifest."))
        };
        if self.version != VERSION {
            return wrong("version", &self.version.to_string(), "version = 1, the only one there is");
        }
        let mut parts = Path::new(&self.file).components();
        if !matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None)) {
            return wrong("file", &self.file, "the name of a file, without folders");
        }
        let here = ["http://127.0.0.1:", "http://localhost:"];
        if !self.url.starts_with("https://") && !here.iter().any(|start| self.url.starts_with(start)) {
            return wrong("url", &self.url, "an address that begins with https://");
        }
        if let Some(sum) = &self.sha256 {
            let digits = sum.chars().all(|digit| digit.is_ascii_hexdigit());
            if !digits || !(FEWEST_DIGITS..=64).contains(&sum.len()) {
                return wrong("sha256", sum, "64 hexadecimal digits, or the first 8 and more of them");
            }
        }
        for (key, text) in [("title", &self.title), ("licence", &self.licence), ("source", &self.source)] {
            if text.trim().is_empty() {
                return wrong(key, text, "a text: weights say what they are and whose they are");
            }
        }
        Ok(())
    }

    /// Whether a file of this sum, 64 hexadecimal digits, is the published one as far as the manifest knows.
    pub fn agrees(&self, sha256: &str) -> bool {
        self.sha256
            .as_ref()
            .is_none_or(|known| sha256.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known)))
    }
}
