//! Latents by number: those that published figures name, and fresh ones.

use candle_core::{Device, Tensor};

use crate::rng::Seed;
use crate::rng::numpy::RandomState;
use crate::{Error, Result};

/// More seeds than anybody asks for on purpose.
const MOST: usize = 1_000_000;

/// Seeds as the command lines of NVIDIA's StyleGANs take them: numbers and ranges with commas between them, `1,5-9`, both
/// ends included.
///
/// # Errors
/// When a part is no number and no range, a range falls, or there are none or more than a million.
pub fn parse(text: &str) -> Result<Vec<u32>> {
    let wrong = |part: &str| {
        let hint = "Numbers from 0 to 4294967295, and ranges of them, with commas between: 1,5-9.";
        Error::invalid("seeds", format!("\"{part}\""), "a number or a range", hint)
    };
    let mut seeds = Vec::new();
    for part in text.split(',').map(str::trim) {
        let number = |text: &str| text.trim().parse::<u32>().map_err(|_| wrong(part));
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        if first > last {
            return Err(wrong(part));
        }
        if (last - first) as usize >= MOST - seeds.len() {
            return Err(Error::invalid("seeds", format!("\"{text}\""), format!("at most {MOST}"), ""));
        }
        seeds.extend(first..=last);
    }
    Ok(seeds)
}

/// The latents that published figures name by these seeds: `RandomState(seed).randn(latent)` of NumPy for each,
/// `[N, latent]`, f32.
///
/// # Errors
/// When the device has no memory for them.
pub fn latents(seeds: &[u32], latent: usize, device: &Device) -> Result<Tensor> {
    let numbers = seeds.iter().flat_map(|&seed| RandomState::new(seed).normals(latent)).map(|number| number as f32);
    Ok(Tensor::from_vec(numbers.collect::<Vec<f32>>(), (seeds.len(), latent), device)?)
}

/// As many latents in one draw, `RandomState(seed).randn(n, latent)`: those of the papers' uncurated figures.
///
/// # Errors
/// When the device has no memory for them.
pub fn one_draw(seed: u32, [n, latent]: [usize; 2], device: &Device) -> Result<Tensor> {
    let numbers = RandomState::new(seed).normals(n * latent).into_iter().map(|number| number as f32);
    Ok(Tensor::from_vec(numbers.collect::<Vec<f32>>(), (n, latent), device)?)
}

/// Fresh latents `[n, latent]` of a seed's stream `noise`, standard normal, f32.
///
/// # Errors
/// When the device has no memory for them.
pub fn fresh(seed: Seed, [n, latent]: [usize; 2], device: &Device) -> Result<Tensor> {
    seed.stream("noise").normal_tensor(&[n, latent], device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_numbers_and_ranges() {
        assert_eq!(parse("1,5-9").unwrap(), [1, 5, 6, 7, 8, 9]);
        assert_eq!(parse(" 3291 , 0 - 1 , 4294967295").unwrap(), [3291, 0, 1, u32::MAX]);
        for wrong in ["", "1,", "9-5", "a", "-1", "1-2-3", "4294967296", "0-4294967295"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_draw_goes_on_where_seeds_begin_anew() {
        let of = |tensor: Tensor| tensor.to_vec2::<f32>().unwrap();
        let (seeds, drawn) =
            (of(latents(&[5, 5], 3, &Device::Cpu).unwrap()), of(one_draw(5, [2, 3], &Device::Cpu).unwrap()));
        assert_eq!(seeds[0], seeds[1]);
        assert_eq!(drawn[0], seeds[0]);
        assert_ne!(drawn[1], seeds[1]);
    }
}
