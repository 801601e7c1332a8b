//! In which numbers networks compute while they are trained.

use std::fmt;
use std::str::FromStr;

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What convolutions and linear layers multiply, and what passes between layers.
///
/// Weights, their optimizer and their running average are f32 with either, and so is what a checkpoint holds. No loss has
/// to be scaled: bf16 has the range of f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32 throughout; on a GPU, factors of products may be rounded to 10 bits (TF32,
    /// `device::allow_tf32`).
    #[default]
    F32,
    /// Mixed (Micikevicius et al. 2018, arXiv:1710.03740, with bf16 in place of half precision): weights and what passes
    /// between layers are rounded to bf16, 8 bits a number. f32 stay: every sum, statistics of norms, scales and biases,
    /// pictures that leave a generator, losses, gradient penalties with the passes through the critic that they need, gradients of weights as the optimizer sees
    /// them. GPUs only.
    Bf16,
}

impl Precision {
    /// `f32` or `bf16`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }

    /// Whether networks of this type can compute so on this device.
    ///
    /// # Errors
    /// bf16 on the CPU, and bf16 of networks that are not f32.
    pub fn check(self, device: &Device, dtype: DType) -> Result<()> {
        let found = match self {
            Precision::F32 => return Ok(()),
            Precision::Bf16 if !device.is_cuda() => "bf16 on the CPU".to_string(),
            Precision::Bf16 if dtype != DType::F32 => format!("bf16 for parameters of {dtype:?}"),
            Precision::Bf16 => return Ok(()),
        };
        let expected = "f32, or bf16 on a GPU with parameters of f32";
        let hint = "Train with precision f32, or with a build for CUDA on a machine with a GPU (TACHIE_DEVICE=cuda).";
        Err(Error::invalid("precision", found, expected, hint))
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Precision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Precision> {
        let all = [Precision::F32, Precision::Bf16];
        let found = all.into_iter().find(|precision| precision.name() == name);
        found.ok_or_else(|| Error::invalid("precision", format!("\"{name}\""), "f32 or bf16", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_there_and_back() {
        for precision in [Precision::F32, Precision::Bf16] {
            assert_eq!(precision.name().parse::<Precision>().unwrap(), precision);
        }
        let message = "fp16".parse::<Precision>().unwrap_err().to_string();
        assert!(message.contains("\"fp16\"") && message.contains("f32 or bf16"), "{message}");
    }

    #[test]
    fn bf16_is_refused_on_the_cpu() {
        Precision::F32.check(&Device::Cpu, DType::F64).unwrap();
        let message = Precision::Bf16.check(&Device::Cpu, DType::F32).unwrap_err().to_string();
        assert!(message.contains("bf16 on the CPU") && message.contains("TACHIE_DEVICE=cuda"), "{message}");
    }
}
